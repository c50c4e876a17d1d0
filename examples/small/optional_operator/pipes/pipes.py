from fission.core.pipes import OptionalMixIn, PicklePipe


class OperatorPipe(OptionalMixIn, PicklePipe):
    """Carries an operator now and then. Nobody waits for it."""

    OPTIONAL_DEFAULT = "+"  # until the first one comes
    OPTIONAL_STORE = True  # an operator stays in use until another one comes
    OPTIONAL_BUFFER_SIZE = 1  # of several that have come, only the newest counts
