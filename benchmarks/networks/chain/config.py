"""source -> forward -> sink, the chain of the benchmarks.

An environment variable of the harness selects what to send. Without it, `fission simulate chain` in
`benchmarks/networks` (with the repository's root in PYTHONPATH) sends ints at full speed for three seconds.
"""

import os

from benchmarks.workloads import PLAN_VARIABLE, Plan
from chain.jobs import Forward, MeasuredSink, MeasuredSource
from fission.core.pipes import ArrayPipe, PicklePipe

plan = Plan.from_text(os.environ.get(PLAN_VARIABLE, "throughput int 0.5 3.0"))

make_pipe = ArrayPipe if plan.workload.elements else PicklePipe

JOBS = [
    MeasuredSource(plan, outputs=[make_pipe(101)]),
    Forward(inputs=[make_pipe(101)], outputs=[make_pipe(102)]),
    MeasuredSink(plan, inputs=[make_pipe(102)]),
]
