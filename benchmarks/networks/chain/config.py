"""source -> forward -> sink, the chain of the benchmarks.

The harness says by an environment variable what to send. Without it, `fission simulate chain` in
`benchmarks/networks` (with the repository's root in PYTHONPATH) sends ints at full speed for three seconds.
"""

import os

from benchmarks.workloads import PLAN_VARIABLE, Plan
from fission.core.pipes import ArrayPipe, PicklePipe

from chain.jobs import Forward, MeasuredSink, MeasuredSource

PLAN = Plan.from_text(os.environ.get(PLAN_VARIABLE, "throughput int 0.5 3.0"))

if PLAN.workload.elements:
    FIRST, SECOND = ArrayPipe(101), ArrayPipe(102)
else:
    FIRST, SECOND = PicklePipe(101), PicklePipe(102)

JOBS = [
    MeasuredSource(PLAN, outputs=[FIRST]),
    Forward(inputs=[FIRST], outputs=[SECOND]),
    MeasuredSink(PLAN, inputs=[SECOND]),
]
