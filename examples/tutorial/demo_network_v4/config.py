# Version 4: a person sets the operator of the join while the network runs.

from demo_network_v4.jobs.jobs import JoinJob, OperatorJob, ReduceJob
from demo_network_v4.pipes.pipes import OperatorPipe, ReducePipe
from fission.core.jobs import CSVSinkJob
from fission.core.nodes import BaseNode
from fission.core.pipes import PicklePipe
from shared.jobs.jobs import SourceJob

USER = "pi"
REMOTE_ROOT = f"/home/{USER}/fission/"
CLIENT_IP = "127.0.0.1"

JOBS = [
    OperatorJob(outputs=[OperatorPipe(104)]),  # runs on the client, where somebody can type
    SourceJob(start=1, outputs=[PicklePipe(101), PicklePipe(201)]),
    SourceJob(start=2, step=2, outputs=[PicklePipe(102), PicklePipe(202)]),
    SourceJob(start=3, step=3, outputs=[PicklePipe(103), PicklePipe(203)]),
    JoinJob(
        inputs=[PicklePipe(101), PicklePipe(102), PicklePipe(103), OperatorPipe(104)],
        outputs=[ReducePipe(105), PicklePipe(204), PicklePipe(205)],
    ),
    ReduceJob(inputs=[ReducePipe(105)], outputs=[PicklePipe(301)]),
    # Numbers, operator and result of a round stand in one row.
    CSVSinkJob("values.csv", inputs=[PicklePipe(id) for id in (201, 202, 203, 204, 205)]),
    CSVSinkJob("sums.csv", inputs=[PicklePipe(301)], col_pattern="sum_of_pipe_{pipe.id}"),
]

NODES = [
    BaseNode("127.0.0.2"),
    BaseNode("127.0.0.3"),
    BaseNode("127.0.0.4"),
]
