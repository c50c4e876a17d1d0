"""`shell`: a prompt with what one does with a network and its nodes.

The network that it starts runs in a process of its own, so that the prompt is there meanwhile; it ends with the shell.
"""

import cmd
import contextlib
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from fission.cluster.transitions import JobState
from fission.engine.client.run_folder import private_folder
from fission.engine.client.views import STATES
from fission.errors import RunError, UserError
from fission.management.access.running_client import ask
from fission.management.commands.cluster.status import status_command
from fission.management.commands.cluster.stop import stop_command
from fission.management.console.guard import INTERRUPTED, guard, say_error
from fission.management.shell.nodes import ShellNodes, say
from fission.management.shell.run import command_line
from fission.project.load import find_network
from fission.project.suggest import did_you_mean, listed

_LOOK = 0.05
_END_SECONDS = 15.0
_HISTORY = 1000
_START_OPTIONS = {"--fresh": "fresh", "--keep-files": "keep_files"}


def shell_command(root: Path, name: str) -> int:
    """Open the prompt; return 0 when it is left. Raises ProjectError when there is no such network."""
    folder = private_folder(find_network(root, name))
    folder.mkdir(mode=0o700, exist_ok=True)
    shell = Shell(root, name, folder)
    with contextlib.suppress(ImportError):
        _remember(folder / "history")
    try:
        shell.run()
    finally:
        shell.leave()
    return 0


class Shell(cmd.Cmd):
    """The prompt. What goes wrong in a command is told in a line, and the prompt is there again; so after Ctrl+C."""

    doc_header = "Commands (help COMMAND explains one):"

    def __init__(self, root: Path, name: str, folder: Path) -> None:
        super().__init__()
        self.prompt = f"{name}> " if sys.stdin.isatty() else ""
        self.intro = "help lists the commands, Ctrl+D leaves." if sys.stdin.isatty() else None
        self._root = root
        self._name = name
        self._errors = folder / "shell.err"
        self._nodes = ShellNodes(root, name)
        self._running: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Read and do commands until the person leaves."""
        while True:
            try:
                self.cmdloop(self.intro)
            except KeyboardInterrupt:  # at the prompt
                print()
                self.intro = None
            else:
                return

    def leave(self) -> None:
        """End what this shell has started."""
        if self._running is not None and self._running.poll() is None:
            say(f"{self._name} is stopped")
            self._end_running()
        self._nodes.close()

    # -- of cmd ------------------------------------------------------------------------------------------

    def onecmd(self, line: str) -> bool:
        """Do a command; true when the shell is to be left."""
        leaving = False

        def work() -> int:
            nonlocal leaving
            leaving = bool(super(Shell, self).onecmd(line))
            return 0

        if guard(work) == INTERRUPTED:
            print()
        return leaving

    def emptyline(self) -> bool:
        """Do nothing, not the last command again."""
        return False

    def default(self, line: str) -> None:
        """Answer what is no command."""
        word = line.split(maxsplit=1)[0]
        known = self.completenames("")
        say_error(
            f"there is no command {word!r}. {did_you_mean(word, known) or f'There are {listed(known)}'}"
        )

    def completenames(self, text: str, *_ignored: object) -> list[str]:
        """The commands that begin like this."""
        return [name for name in super().completenames(text) if name != "EOF"]

    def get_names(self) -> list[str]:
        """The names of the methods, for help and completion."""
        return [name for name in super().get_names() if name != "do_EOF"]

    # -- commands ----------------------------------------------------------------------------------------

    def do_allocate(self, line: str) -> None:
        """Show which job goes to which node, of those that answer; while the network runs, where its jobs are."""
        _words("allocate", line)
        if ask(self._root, self._name, do="status") is not None:
            status_command(self._root, self._name, as_json=False)
        else:
            self._nodes.allocate()

    def do_start(self, line: str) -> None:
        """Run the network until this shell ends: start [--fresh] [--keep-files]. `fission logs` shows what its jobs print."""
        options = {_START_OPTIONS[word]: True for word in _words("start", line, options=_START_OPTIONS)}
        if ask(self._root, self._name, do="status") is not None:
            raise UserError("it runs already", where=f"network {self._name}", hint="See: status")
        command = command_line(self._root, self._name, options, self._nodes.cluster)
        with open(self._errors, "wb") as errors:
            self._running = subprocess.Popen(  # noqa: S603 - our own module
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
        try:
            self._wait_until_it_runs(self._running)
        except KeyboardInterrupt:
            self._end_running()
            raise

    def do_stop(self, line: str) -> None:
        """End the network everywhere: stop [--force]."""
        force = bool(_words("stop", line, options=["--force"]))
        stop_command(self._root, self._name, force=force)
        if self._running is not None:
            self._end_running()

    def do_status(self, line: str) -> None:
        """Show nodes, jobs and pipes of the running network."""
        _words("status", line)
        status_command(self._root, self._name, as_json=False)

    def do_senddata(self, line: str) -> None:
        """Bring all files of the network to its nodes, before a start needs them."""
        _words("senddata", line)
        self._nodes.send()

    def do_removedata(self, line: str) -> None:
        """Remove the folders and files of the network from its nodes."""
        _words("removedata", line)
        self._nodes.remove()

    def do_reboot(self, line: str) -> None:
        """Start devices anew, if their services allow it: reboot [NODE]..., without a node all of them."""
        chosen = _split(line)
        if self._nodes.cluster is not None:
            raise UserError("embedded nodes are this machine", where="reboot")
        if sys.stdin.isatty() and input(f"Reboot {', '.join(chosen) or 'all nodes'}? [y/N] ").lower() != "y":
            return
        self._nodes.reboot(chosen)

    def do_startcluster(self, line: str) -> None:
        """Show which nodes answer. With startcluster --embedded N: start N nodes on this machine, which are used from now on."""
        words = _split(line)
        if words:
            if (
                len(words) != 2
                or words[0] != "--embedded"
                or not words[1].isdigit()
                or not 0 < int(words[1]) <= 200
            ):
                raise UserError(
                    "wrong words", where="startcluster", expected="nothing, or --embedded N", found=line
                )
            self._refuse_while_it_runs("startcluster")
            self._nodes.open(int(words[1]))
        self._nodes.show()

    def do_closecluster(self, line: str) -> None:
        """End the nodes that startcluster --embedded has started; those of NODES are used again."""
        _words("closecluster", line)
        if self._nodes.cluster is None:
            raise UserError("there is none that this shell has started", where="closecluster")
        self._refuse_while_it_runs("closecluster")
        self._nodes.close()

    def do_clear(self, line: str) -> None:
        """Empty the screen."""
        _words("clear", line)
        print("\033[H\033[2J\033[3J", end="", flush=True)

    def do_exit(self, line: str) -> bool:
        """Leave, as Ctrl+D does; what this shell has started ends."""
        _words("exit", line)
        return True

    def do_EOF(self, _line: str) -> bool:  # noqa: N802 - cmd calls it so
        """Leave."""
        if sys.stdin.isatty():
            print()
        return True

    # -- completion --------------------------------------------------------------------------------------

    def complete_start(self, text: str, *_places: object) -> list[str]:
        """The options that begin like this."""
        return [word for word in _START_OPTIONS if word.startswith(text)]

    def complete_startcluster(self, text: str, *_places: object) -> list[str]:
        """The option."""
        return [word for word in ("--embedded",) if word.startswith(text)]

    def complete_reboot(self, text: str, *_places: object) -> list[str]:
        """The addresses that begin like this."""
        return [node for node in self._nodes.addresses() if node.startswith(text)]

    # -- inside ------------------------------------------------------------------------------------------

    def _refuse_while_it_runs(self, command: str) -> None:
        if ask(self._root, self._name, do="status") is not None:
            raise UserError("not while the network runs", where=command, hint="stop it first")

    def _wait_until_it_runs(self, process: "subprocess.Popen[bytes]") -> None:
        while process.poll() is None:
            answer = ask(self._root, self._name, do="status")
            if answer is not None and answer["network"]["phase"] == "running":
                states = [job["state"] for job in answer["network"]["jobs"]]
                waiting = states.count(STATES[JobState.WAITING])
                if waiting or all(
                    state in (STATES[JobState.RUNNING], STATES[JobState.FINISHED]) for state in states
                ):
                    print(
                        f"{self._name} runs" + (f"; {waiting} of its jobs wait for a node" if waiting else "")
                    )
                    return
            time.sleep(_LOOK)
        self._running = None
        text = self._errors.read_text(encoding="utf-8", errors="replace").strip()
        if process.returncode:
            raise RunError(
                "it has not started", where=f"network {self._name}", found=text.removeprefix("error: ")
            )
        print(f"{self._name} has run, and ended")

    def _end_running(self) -> None:
        process, self._running = self._running, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UserError(f"wrong words: {error}", found=line) from None


def _words(command: str, line: str, options: "list[str] | dict[str, str] | tuple[()]" = ()) -> list[str]:
    """Return the words after a command. Raises UserError when one is not known."""
    words = _split(line)
    for word in words:
        if word not in options:
            raise UserError(
                f"does not know {word!r}", where=command, expected=" or ".join(options) or "nothing after it"
            )
    return words


def _remember(path: Path) -> None:
    """Keep what was typed for the next time."""
    import atexit  # noqa: PLC0415 - not every Python has readline
    import readline  # noqa: PLC0415

    readline.set_history_length(_HISTORY)
    with contextlib.suppress(OSError):
        readline.read_history_file(path)
    write: Callable[[Path], None] = readline.write_history_file

    def keep() -> None:
        with contextlib.suppress(OSError):
            write(path)

    atexit.register(keep)
