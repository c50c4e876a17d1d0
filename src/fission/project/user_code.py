"""Exceptions out of the user's files: where they happened, in one line, and the traceback without foreign frames."""

import traceback
from collections.abc import Iterable
from pathlib import Path


class UserFiles:
    """The files of one project, as opposed to those of Python, of this package and of what is installed."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def owns(self, file: str) -> bool:
        """Tell whether `file` is the user's: in the project, and not in an environment that lies there too."""
        path = Path(file)
        if "site-packages" in path.parts or not path.is_absolute():
            return False
        return path.resolve().is_relative_to(self._root)

    def name(self, file: str) -> str:
        """The path of a file as a user would type it in the project's folder."""
        return str(Path(file).resolve().relative_to(self._root)) if self.owns(file) else file

    def frames(self, error: BaseException) -> list[traceback.FrameSummary]:
        """The frames of an exception that are the user's, the innermost last."""
        return self._own(traceback.extract_tb(error.__traceback__))

    def place(self, error: BaseException) -> str:
        """Where in the user's files an exception happened, as "demo/config.py:12"; "" if nowhere there."""
        if isinstance(error, SyntaxError) and error.filename and self.owns(error.filename):
            return f"{self.name(error.filename)}:{error.lineno or 1}"
        frames = self.frames(error)
        return f"{self.name(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""

    def cut_traceback(self, error: BaseException) -> str:
        """The traceback of an exception without the frames that are not the user's."""
        told = traceback.TracebackException.from_exception(error)
        self._cut(told)
        return "".join(told.format())

    def _cut(self, told: traceback.TracebackException) -> None:
        own = self._own(told.stack)
        if own:
            told.stack = traceback.StackSummary.from_list(own)
        for other in (told.__cause__, told.__context__, *(told.exceptions or ())):
            if other is not None:
                self._cut(other)

    def _own(self, frames: Iterable[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
        return [frame for frame in frames if self.owns(frame.filename)]


def one_line(error: BaseException) -> str:
    """An exception as Python says it, its first line only: "ValueError: what is wrong"."""
    return "".join(traceback.format_exception_only(error)).strip().partition("\n")[0]
