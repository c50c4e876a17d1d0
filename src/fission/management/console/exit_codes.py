"""Exit codes and error reporting of the commands: an exception becomes one line on stderr and an exit code."""

import errno
import os
import sys
import traceback
from collections.abc import Callable

from fission.errors import FissionError
from fission.management.console.standard_streams import open_standard_streams

INTERRUPTED = 130
"""Exit code after Ctrl+C, as shells define it."""

_BROKEN_PIPE = 1
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_PLACE = (
    errno.EACCES,
    errno.EPERM,
    errno.EEXIST,
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
)
_LIMITS = (errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM)
_ENVIRONMENT = (*_DISK, *_PLACE, *_LIMITS)
"""Errors of the disk, of permissions and limits: no bug of FISSION."""
_MAX_TEXT = 2000
"""Characters of an unexpected exception's text that are shown."""


def exit_code_of(work: Callable[[], int], *, debug: bool = False) -> int:
    """Run the work of a command and return its exit code; errors go to stderr.

    With `debug` the tracebacks of FISSION itself are shown too.
    """
    open_standard_streams()
    try:
        code = work()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _pipe_closed()
    except FissionError as error:
        _report(error, debug=debug)
        return error.exit_code
    except OSError as error:
        return _report_system_error(error, debug=debug)
    except Exception as error:  # noqa: BLE001 - a bug is reported in one line as well
        return _report_bug(error, debug=debug)
    return code


def exit_code_of_run(
    work: Callable[[], int], *, until_finished: bool, quiet: bool, debug: bool = False
) -> int:
    """Like `exit_code_of`, for commands that Ctrl+C normally stops: Ctrl+C is success unless `until_finished`."""

    def interruptible() -> int:
        try:
            return work()
        except (
            KeyboardInterrupt
        ):  # before the start or after the end; a running network handles the signal itself
            if until_finished:
                print_error("Ctrl+C came before all jobs had finished")
                return 1
            if not quiet:
                print("stopped by Ctrl+C")
            return 0

    return exit_code_of(interruptible, debug=debug)


def print_error(text: str) -> None:
    """Print an error on stderr, red on a terminal."""
    line = f"error: {text}"
    if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        line = f"\033[31m{line}\033[0m"
    print(line, file=sys.stderr)


def _report(error: FissionError, *, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    else:
        for note in getattr(error, "__notes__", ()):  # the traceback of the user's own code
            print(note.rstrip(), file=sys.stderr)
    print_error(str(error))


def _report_system_error(error: OSError, *, debug: bool) -> int:
    if error.errno not in _ENVIRONMENT:
        return _report_bug(error, debug=debug)
    _discard_output()  # stdout itself may be on the full disk
    where = f"{error.filename}: " if error.filename else ""
    print_error(f"{where}{error.strerror}")
    return 1


def _report_bug(error: Exception, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    print_error(f"{type(error).__name__}: {str(error)[:_MAX_TEXT]} ({frame.filename}:{frame.lineno})")
    hint = "" if debug else "; --debug shows the traceback"
    print(f"This is a bug in fission{hint}.", file=sys.stderr)
    return 1


def _pipe_closed() -> int:
    _discard_output()
    return _BROKEN_PIPE


def _discard_output() -> None:
    """Replace a broken stdout by /dev/null, because the interpreter would report the error again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
