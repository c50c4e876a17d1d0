# A bit in the head of a block, set by the first job, changes what the last one writes.

from fission.core.pipes import PicklePipe
from head_bit.jobs.jobs import Fahrenheit, Protocol, Thermometer

HEAD_SIZE = 1  # bytes; 5 of the 8 bits are ours

JOBS = [
    Thermometer(outputs=[PicklePipe(1)]),
    Fahrenheit(inputs=[PicklePipe(1)], outputs=[PicklePipe(2)]),
    Protocol(inputs=[PicklePipe(2)]),
]
