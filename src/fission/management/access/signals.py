"""The signals that end a command, as Unix programs have them: one that was ignored at the start stays ignored."""

import signal

__all__ = ["not_ignored"]


def not_ignored(*numbers: signal.Signals) -> list[signal.Signals]:
    """Return the signals that may get a handler.

    A shell ignores SIGINT in what it starts with `&`, and `nohup` ignores SIGHUP: a handler would end the command after all.
    """
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
