# The smallest network that leaves something behind: a counter and a file. No class has to be written for it.

from fission.core.jobs import CSVSinkJob, SourceJob
from fission.core.pipes import PicklePipe

JOBS = [
    SourceJob(start=0, step=5, delay=0.2, outputs=[PicklePipe(1)]),  # 0, 5, 10, ... every 0.2 seconds
    CSVSinkJob("numbers.csv", inputs=[PicklePipe(1)]),  # in the job's folder: simulation/2/numbers.csv
]
