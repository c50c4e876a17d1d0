# Somebody types numbers, a program adds them up.

from fission.core.jobs import CSVSinkJob
from fission.core.pipes import PicklePipe
from running_sum.jobs.jobs import Numbers, RunningSum, Show
from running_sum.pipes.pipes import IntPipe

JOBS = [
    Numbers(outputs=[IntPipe(1), PicklePipe(3)]),
    RunningSum(inputs=[IntPipe(1)], outputs=[IntPipe(2)]),
    Show(inputs=[IntPipe(2)]),
    CSVSinkJob("numbers.csv", inputs=[PicklePipe(3)]),
]
