# How much faster does the clock of one microphone run than that of the other? (DXCP, see README.md)

from fission.core.jobs import CSVSinkJob
from fission.core.pipes import PicklePipe
from sro.jobs.jobs import Estimate, FirstCorrelation, Frames, Microphone, SecondCorrelation
from sro.pipes.pipes import SoundPipe, SpectrumPipe

offset = 83.4  # ppm, which the network has to find out
snr = 30  # dB
seconds = 20

JOBS = [
    Microphone(ppm=0, delay=0, snr=snr, seconds=seconds, outputs=[SoundPipe(101)]),
    Microphone(ppm=offset, delay=17.3, snr=snr, seconds=seconds, outputs=[SoundPipe(102)]),
    Frames(inputs=[SoundPipe(101)], outputs=[SpectrumPipe(103)]),
    Frames(inputs=[SoundPipe(102)], outputs=[SpectrumPipe(104)]),
    FirstCorrelation(inputs=[SpectrumPipe(103), SpectrumPipe(104)], outputs=[SpectrumPipe(105)]),
    SecondCorrelation(inputs=[SpectrumPipe(105)], outputs=[SpectrumPipe(106)]),
    Estimate(inputs=[SpectrumPipe(106)], outputs=[PicklePipe(107), PicklePipe(108)]),
    CSVSinkJob("offset.csv", inputs=[PicklePipe(107), PicklePipe(108)]),
]
