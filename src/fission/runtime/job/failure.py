"""Describes an exception that ended a job, and a round that does not end: by the frames of the user's own code."""

import sys
import threading
import traceback
from pathlib import Path
from types import TracebackType

from fission import errors
from fission.errors import FissionError
from fission.runtime.messages import Failed, Phase

_OURS = str(Path(errors.__file__).parent)


def describe_failure(error: BaseException, where: Phase, round_: int) -> Failed:
    """Describe an exception that came out of loading, setup, run or teardown of a job.

    The traceback starts at the first frame outside fission. It is empty when one of fission's own errors, raised inside fission,
    describes the mistake completely.
    """
    frames = _user_frames(error.__traceback__)
    user = frames is not None
    complete = isinstance(error, FissionError)
    text = ""
    if user or not complete:
        shown = error.with_traceback(frames if user else error.__traceback__)
        text = "".join(traceback.format_exception(type(shown), shown, shown.__traceback__))
    message = str(error) if complete else _one_line(error)
    return Failed(
        round=round_,
        where=where,
        message=message,
        traceback=text,
        user=user,
    )


def describe_place() -> str:
    """Describe where the job's thread is: its frames from the first one outside fission on, the last call last; "" for none."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)
    frames = traceback.extract_stack(frame)
    while frames and frames[0].filename.startswith((_OURS, "<frozen ")):
        del frames[0]
    return "".join(traceback.format_list(frames))


def _user_frames(trace: TracebackType | None) -> TracebackType | None:
    """The part of a traceback that begins in the first frame outside this package and the standard loader."""
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith((_OURS, "<frozen ")):
            return trace
        trace = trace.tb_next
    return None


def _one_line(error: BaseException) -> str:
    lines = traceback.format_exception_only(type(error), error)
    return lines[-1].strip()
