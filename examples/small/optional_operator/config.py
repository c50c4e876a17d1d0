# Two sources count, a third job changes now and then what is done with their numbers.

from fission.core.jobs import CSVSinkJob, SourceJob
from fission.core.pipes import PicklePipe
from optional_operator.jobs.jobs import Calculator, SlowOperators
from optional_operator.pipes.pipes import OperatorPipe

JOBS = [
    SourceJob(start=1, delay=0.25, outputs=[PicklePipe(1)]),
    SourceJob(start=10, delay=0.25, outputs=[PicklePipe(2)]),
    SlowOperators(outputs=[OperatorPipe(3)]),
    # Pipes 1 and 2 are waited for: a round is one number of each. Pipe 3 is not: the round takes what is there.
    Calculator(inputs=[PicklePipe(1), PicklePipe(2), OperatorPipe(3)], outputs=[PicklePipe(4)]),
    CSVSinkJob("results.csv", inputs=[PicklePipe(4)]),
]
