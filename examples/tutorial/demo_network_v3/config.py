# Version 3: everything that is computed is also written down, on the client.

from demo_network_v3.jobs.jobs import JoinJob, ReduceJob
from demo_network_v3.pipes.pipes import ReducePipe
from fission.core.jobs import CSVSinkJob
from fission.core.nodes import BaseNode
from fission.core.pipes import PicklePipe
from shared.jobs.jobs import SourceJob

USER = "pi"
REMOTE_ROOT = f"/home/{USER}/fission/"
CLIENT_IP = "127.0.0.1"

# A pipe has one destination. What goes to two jobs has two pipes: what `run` returns goes to all outputs.
# Pipes that begin with 1 carry the numbers, those with 2 and 3 lead to the files.
JOBS = [
    SourceJob(start=1, outputs=[PicklePipe(101), PicklePipe(201)]),
    SourceJob(start=2, step=2, outputs=[PicklePipe(102), PicklePipe(202)]),
    SourceJob(start=3, step=3, outputs=[PicklePipe(103), PicklePipe(203)]),
    JoinJob(
        inputs=[PicklePipe(101), PicklePipe(102), PicklePipe(103)],
        outputs=[ReducePipe(105), PicklePipe(205)],
    ),
    ReduceJob(inputs=[ReducePipe(105)], outputs=[PicklePipe(301)]),
    # A row per round: three numbers and their product always stand in one row. Local: runs on the client.
    CSVSinkJob("values.csv", inputs=[PicklePipe(201), PicklePipe(202), PicklePipe(203), PicklePipe(205)]),
    # `col_pattern` makes the header out of the pipe.
    CSVSinkJob("sums.csv", inputs=[PicklePipe(301)], col_pattern="sum_of_pipe_{pipe.id}"),
]

NODES = [
    BaseNode("127.0.0.2"),
    BaseNode("127.0.0.3"),
    BaseNode("127.0.0.4"),
]
