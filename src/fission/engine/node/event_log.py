"""The event log of a node: its last lines for clients, and one line per event of a job."""

import logging
from pathlib import Path

from fission.cluster import JobExited, JobFailed, JobFinished, JobListening, JobNotStarted
from fission.engine.protocol.interfaces import EngineEvent, JobSaid
from fission.runtime.launch.supervisor import OutputLine
from fission.runtime.messages import Log

_log = logging.getLogger(__name__)

MOST = 4 << 20
"""The most bytes of a log that a request returns."""


def read_tail(path: Path, most: int = MOST) -> str:
    """Return the last whole lines of a log and its rotated file, at most `most` bytes. Raises OSError."""
    data = path.read_bytes()[-most:]
    before = path.with_name(f"{path.name}.1")
    if len(data) < most and before.exists():
        data = before.read_bytes()[len(data) - most :] + data
    if len(data) == most:
        data = data.partition(b"\n")[2]
    return data.decode("utf-8", "backslashreplace")


def write_down(network: str, event: EngineEvent) -> None:
    """Log an event of a job; its output only at level DEBUG."""
    match event:
        case JobNotStarted():
            _say(logging.WARNING, network, event, f"was not started: {event.message}")
        case JobListening():
            _say(logging.INFO, network, event, f"listens at {event.address}")
        case JobFinished():
            _say(logging.INFO, network, event, f"has finished after {event.round} rounds")
        case JobFailed():
            place = f"in round {event.round}" if event.where == "run" else f"in {event.where}"
            _say(
                logging.WARNING,
                network,
                event,
                f"failed {place}: {event.message}\n{event.traceback}".rstrip(),
            )
        case JobExited():
            _say(logging.INFO, network, event, f"has ended with code {event.code}")
        case JobSaid(what=OutputLine() as line):
            _say(logging.DEBUG, network, event, f"{line.stream}: {line.text}")
        case JobSaid(what=Log() as log):
            _say(log.level, network, event, log.text)


_JobEvent = JobNotStarted | JobListening | JobFinished | JobFailed | JobExited | JobSaid


def _say(level: int, network: str, event: _JobEvent, text: str) -> None:
    _log.log(level, "%s: job %d, incarnation %d, %s", network, event.job, event.incarnation, text)
