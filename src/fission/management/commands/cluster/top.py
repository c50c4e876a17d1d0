"""`top`: a live table of the nodes, jobs and pipes of a running network, with keys that control it."""

import contextlib
import select
import signal
import sys
import termios
import threading
import tty
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from rich.live import Live

from fission.engine.client.private.run_folder import private_folder
from fission.engine.simulate.simulation import SIMULATION
from fission.errors import FissionError
from fission.management.access.running_client import LOGS, ask, ask_simulation
from fission.management.commands.cluster.status import ask_client_of
from fission.management.console.log_reader import LogReader
from fission.management.console.records import LOG_NAME
from fission.management.console.tables import new_console
from fission.management.console.top_screen import KEPT_LINES, Screen
from fission.project.load import find_network

_LOOK_SECONDS = 0.2
_KEYS = {"\033[A": "up", "\033OA": "up", "k": "up", "\033[B": "down", "\033OB": "down", "j": "down"}


def top_command(root: Path, name: str, interval: float) -> int:
    """Show the network until q, Ctrl+C, or its end; once, as plain tables, where there is no terminal. Raises RunError."""
    view = ask_client_of(root, name, "status")["network"]
    screen = Screen(view)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        console = new_console()
        console.print(screen.render(None))
        return 0
    simulated = view["phase"] == "simulated"
    path = (
        find_network(root, name) / SIMULATION
        if simulated
        else private_folder(find_network(root, name)) / LOGS
    )
    with contextlib.suppress(KeyboardInterrupt), _interrupted_by_sigterm(), LogReader(path / LOG_NAME) as log:
        session = _Session(root, name, screen, log)
        with _keys() as keys, Live(console=new_console(), screen=True, auto_refresh=False) as live:
            session.show(live, keys, interval)
    if session.over:
        print(f"network {name} has ended")
    return 0


@dataclass
class _Session:
    """What one `top` does until it is left."""

    root: Path
    name: str
    screen: Screen
    log: LogReader
    over: bool = False
    _done: deque[str] = field(default_factory=lambda: deque(maxlen=1))

    def show(self, live: Live, keys: "_Keyboard", interval: float) -> None:
        """Draw and obey keys until the end."""
        due, size = monotonic() + interval, None
        while True:
            now = live.console.size
            if size != now or keys.pressed or self._done:
                size = now
                live.update(self.screen.render(now.height), refresh=True)
            for key in keys.read(max(0.0, min(_LOOK_SECONDS, due - monotonic()))):
                if key == "q":
                    return
                if (request := self.screen.press(key)) is not None:
                    threading.Thread(target=self._carry_out, args=(request,), daemon=True).start()
            if self._done:
                self.screen.message = self._done.pop()
                size = None
            if monotonic() >= due:
                due, size = monotonic() + interval, None
                if not self._look():
                    self.over = True
                    return

    def _look(self) -> bool:
        """Ask for a new view; return False when the network has ended."""
        try:
            answer = ask(self.root, self.name, do="status") or ask_simulation(
                self.root, self.name, do="status"
            )
        except FissionError as error:
            self.screen.message = str(error)
            return True
        if answer is None or "network" not in answer:
            return False
        self.screen.update(answer["network"])
        for record in self.log.more():
            self.screen.lines.setdefault(record.job, deque(maxlen=KEPT_LINES)).append(record.text)
        return True

    def _carry_out(self, request: Mapping[str, Any]) -> None:
        """Ask the client, in a thread: some requests take as long as jobs take to restart."""
        try:
            answer = ask(self.root, self.name, seconds=None, **request)
            if answer is None:
                text = "only a network that `run` has started can be changed"
            else:
                text = "; ".join([*answer.get("errors", ()), *answer.get("lines", ())]) or "done"
        except FissionError as error:
            text = str(error)
        self._done.append(text)


class _Keyboard:
    """The keys that are pressed in a terminal without line editing."""

    def __init__(self, descriptor: int) -> None:
        self._file = descriptor
        self.pressed = False

    def read(self, seconds: float) -> list[str]:
        """Wait so long for keys; return their names or characters."""
        self.pressed = bool(select.select([self._file], [], [], seconds)[0])
        if not self.pressed:
            return []
        with open(self._file, "rb", buffering=0, closefd=False) as file:
            data = file.read(64)
        if not data:
            return ["q"]  # the terminal is gone
        text = data.decode("utf-8", "ignore")
        if text.startswith("\033"):
            return [_KEYS.get(text[:3], "")]
        return [_KEYS.get(one, one) for one in text]


@contextlib.contextmanager
def _keys() -> Iterator[_Keyboard]:
    """Read key by key inside the `with` block; Ctrl+Z does nothing, since it would leave the screen as it is."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        changed = termios.tcgetattr(descriptor)
        changed[6][termios.VSUSP] = b"\0"
        termios.tcsetattr(descriptor, termios.TCSANOW, changed)
        yield _Keyboard(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the command as Ctrl+C does, so that the terminal is set right."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
