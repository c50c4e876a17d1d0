"""Exceptions in user code: their place in one line, and the traceback without frames of other code."""

import traceback
from collections.abc import Iterable
from pathlib import Path


class UserFiles:
    """The files of one project, as opposed to those of Python, this package and installed packages."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def owns(self, file: str) -> bool:
        """Return whether `file` belongs to the project, and not to a virtual environment in its folder."""
        path = Path(file)
        if "site-packages" in path.parts or not path.is_absolute():
            return False
        return path.resolve().is_relative_to(self._root)

    def name(self, file: str) -> str:
        """Return the path of a file relative to the folder of the project."""
        return str(Path(file).resolve().relative_to(self._root)) if self.owns(file) else file

    def frames(self, error: BaseException) -> list[traceback.FrameSummary]:
        """Return the frames of an exception in user code, the innermost last."""
        return self._own(traceback.extract_tb(error.__traceback__))

    def place(self, error: BaseException) -> str:
        """Return the place of an exception in user code, as "demo/config.py:12"; "" if there is none."""
        if isinstance(error, SyntaxError) and error.filename and self.owns(error.filename):
            return f"{self.name(error.filename)}:{error.lineno or 1}"
        frames = self.frames(error)
        return f"{self.name(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""

    def cut_traceback(self, error: BaseException) -> str:
        """Return the traceback of an exception, with the frames of user code only."""
        report = traceback.TracebackException.from_exception(error)
        self._cut(report)
        return "".join(report.format())

    def _cut(self, report: traceback.TracebackException) -> None:
        own = self._own(report.stack)
        if own:
            report.stack = traceback.StackSummary.from_list(own)
        for other in (report.__cause__, report.__context__, *(report.exceptions or ())):
            if other is not None:
                self._cut(other)

    def _own(self, frames: Iterable[traceback.FrameSummary]) -> list[traceback.FrameSummary]:
        return [frame for frame in frames if self.owns(frame.filename)]


def one_line(error: BaseException) -> str:
    """Return the first line of an exception as Python prints it: "ValueError: invalid literal"."""
    return "".join(traceback.format_exception_only(error)).strip().partition("\n")[0]
