"""Separates a process that user code forks from its job: the child never acts as the job.

In the child the descriptors of the job's control and data connections are replaced by /dev/null, without a word to the other
ends, and a SIGTERM ends it. A child that leaves user code, by a return, an exception or `sys.exit`, ends
there with the exit code that an ordinary Python process would have. A child that never returns to the job, such as a
`multiprocessing` process with the start method fork, or one that calls `exec`, is not affected otherwise.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import get_ident
from typing import NoReturn


class ForkGuard:
    """Made once per job process. `descriptors` returns the job's own descriptors; `on_fork` is called in each child."""

    def __init__(self, descriptors: Callable[[], Iterable[int]], on_fork: Callable[[], None]) -> None:
        self._job = os.getpid()
        self._descriptors = descriptors
        self._on_fork = on_fork
        self._masks: dict[int, set[int]] = {}
        os.register_at_fork(before=self._block, after_in_parent=self._unblock, after_in_child=self._separate)

    def end_child(self, error: BaseException | None = None) -> None:
        """Call it wherever user code may have returned or raised `error`: in a forked child it ends the process."""
        if os.getpid() != self._job:
            end_child(error)

    def _block(self) -> None:
        """Python drops signals that reach the child before it has its own handlers: SIGTERM waits until then."""
        self._masks[get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def _unblock(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._masks.pop(get_ident()))

    def _separate(self) -> None:
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for descriptor in self._descriptors():
            with suppress(OSError):
                os.dup2(nowhere, descriptor, inheritable=False)
        os.close(nowhere)
        self._on_fork()
        self._unblock()


def end_child(error: BaseException | None = None) -> NoReturn:
    """End this process as Python ends one after `error`, but without the exit handlers of the job."""
    code = 0
    if isinstance(error, SystemExit):
        if isinstance(error.code, int):
            code = error.code
        elif error.code is not None:
            code = 1
            _print(f"{error.code}\n")
    elif error is not None:
        import traceback  # noqa: PLC0415 - only a child that fails needs it

        code = 1
        _print(f"In a process that the job has forked:\n{''.join(traceback.format_exception(error))}")
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code & 0xFF)


def _print(text: str) -> None:
    with suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(text)
