"""How every command ends: an exit code, and for what went wrong one clear line instead of a traceback."""

import os
import sys
import traceback
from collections.abc import Callable

from fission.errors import FissionError

INTERRUPTED = 130
_BROKEN_PIPE = 1


def guard(work: Callable[[], int], *, debug: bool = False) -> int:
    """Do the work of a command and return its exit code; tell on stderr what went wrong.

    With `debug` our own tracebacks are shown too.
    """
    try:
        code = work()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return _pipe_closed()
    except FissionError as error:
        _tell(error, debug=debug)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - a bug of ours is told in one line as well
        return _bug(error, debug=debug)
    return code


def guard_run(work: Callable[[], int], *, until_finished: bool, quiet: bool, debug: bool = False) -> int:
    """`guard` for what is usually ended by Ctrl+C: that is a good end whenever it comes, unless another one is wanted."""

    def hear() -> int:
        try:
            return work()
        except KeyboardInterrupt:  # while nothing runs: not yet, or not any more
            if until_finished:
                say_error("Ctrl+C came before all jobs had finished")
                return 1
            if not quiet:
                print("ended by Ctrl+C")
            return 0

    return guard(hear, debug=debug)


def say_error(text: str) -> None:
    """Print an error on stderr, red on a terminal."""
    line = f"error: {text}"
    if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
        line = f"\033[31m{line}\033[0m"
    print(line, file=sys.stderr)


def _tell(error: FissionError, *, debug: bool) -> None:
    if debug:
        traceback.print_exception(error)
    else:
        for note in getattr(error, "__notes__", ()):  # the traceback of the user's own code
            print(note.rstrip(), file=sys.stderr)
    say_error(str(error))


def _bug(error: Exception, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    say_error(f"{type(error).__name__}: {error} ({frame.filename}:{frame.lineno})")
    hint = "" if debug else "; --debug shows the traceback"
    print(f"This is a bug in fission{hint}.", file=sys.stderr)
    return 1


def _pipe_closed() -> int:
    """Whoever read our output has gone: say nothing, also not when the interpreter closes stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _BROKEN_PIPE
