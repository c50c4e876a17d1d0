from fission.core.pipes import OptionalMixIn, PicklePipe


class ReducePipe(PicklePipe):
    BLOCK_COUNT = 5


class OperatorPipe(OptionalMixIn, PicklePipe):
    """Carries an operator when somebody has typed one. Nobody waits for it."""

    OPTIONAL_DEFAULT = "*"  # until the first one comes
    OPTIONAL_BUFFER_SIZE = 1  # of several that were typed, only the last one counts
