"""Sound and spectra travel as arrays, without pickling."""

from fission.core.pipes import ArrayPipe


class SoundPipe(ArrayPipe):
    DTYPE = "float64"
    SHAPE = (2048,)


class SpectrumPipe(ArrayPipe):
    DTYPE = "complex128"
    SHAPE = (4097,)
