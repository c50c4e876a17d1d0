"""Signal dispositions that tests rely on, however the test run was started."""

import signal


def restore_interrupt() -> None:
    """Restore the default disposition of SIGINT in this process and in its future children.

    A shell ignores SIGINT in what it starts with `&`, and children inherit that. Tests send SIGINT to processes
    that they start, so the disposition must not depend on the shell.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
