# Version 2: sources that can be set, and a join of any number of inputs.

from demo_network_v2.jobs.jobs import JoinJob, ReduceJob
from demo_network_v2.pipes.pipes import ReducePipe
from fission.core.nodes import BaseNode
from fission.core.pipes import PicklePipe
from shared.jobs.jobs import SourceJob

USER = "pi"
REMOTE_ROOT = f"/home/{USER}/fission/"
CLIENT_IP = "127.0.0.1"

# The sources are of one class, which lies in `shared`, and differ in their arguments.
# To add a source: one more SourceJob here, and its pipe in the inputs of JoinJob.
JOBS = [
    SourceJob(start=1, outputs=[PicklePipe(101)]),
    SourceJob(start=2, step=2, outputs=[PicklePipe(102)]),
    SourceJob(start=3, step=3, outputs=[PicklePipe(103)]),
    JoinJob(inputs=[PicklePipe(101), PicklePipe(102), PicklePipe(103)], outputs=[ReducePipe(105)]),
    ReduceJob(inputs=[ReducePipe(105)]),
]

NODES = [
    BaseNode("127.0.0.2"),
    BaseNode("127.0.0.3"),
    BaseNode("127.0.0.4"),
]
