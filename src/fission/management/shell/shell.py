"""`shell`: a command prompt for a network and its nodes.

A network started here runs in its own process, so that the prompt stays usable. It stops with the shell.
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
from fission.engine.client.private.run_folder import private_folder
from fission.engine.client.views import STATES
from fission.errors import RunError, UserError
from fission.management.access.running_client import ask
from fission.management.commands.cluster.status import status_command
from fission.management.commands.cluster.stop import stop_command
from fission.management.console.exit_codes import INTERRUPTED, exit_code_of, print_error
from fission.management.shell.nodes import ShellNodes, print_note
from fission.management.shell.run import command_line
from fission.project.load import find_network
from fission.project.suggest import did_you_mean, listed

_POLL_SECONDS = 0.05
_END_SECONDS = 15.0
_HISTORY = 1000
_START_OPTIONS = {"--fresh": "fresh", "--keep-files": "keep_files"}


def shell_command(root: Path, name: str) -> int:
    """Open the prompt and return 0 at its end. Raises ProjectError when there is no such network."""
    folder = private_folder(find_network(root, name))
    folder.mkdir(mode=0o700, exist_ok=True)
    shell = Shell(root, name, folder)
    with contextlib.suppress(ImportError):
        _load_history(folder / "history")
    try:
        shell.run()
    finally:
        shell.leave()
    return 0


class Shell(cmd.Cmd):
    """The prompt. An error in a command is one line, and Ctrl+C ends only the command."""

    doc_header = "Commands (help COMMAND explains one):"

    def __init__(self, root: Path, name: str, folder: Path) -> None:
        super().__init__()
        self.prompt = f"{name}> " if sys.stdin.isatty() else ""
        self.intro = "help lists the commands, Ctrl+D exits." if sys.stdin.isatty() else None
        self._root = root
        self._name = name
        self._errors = folder / "shell.err"
        self._nodes = ShellNodes(root, name)
        self._running: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        """Read and execute commands until `exit` or the end of the input."""
        while True:
            try:
                self.cmdloop(self.intro)
            except KeyboardInterrupt:  # at the prompt
                print()
                self.intro = None
            else:
                return

    def leave(self) -> None:
        """Stop the network and the nodes that this shell started."""
        if self._running is not None and self._running.poll() is None:
            print_note(f"stopping {self._name}")
            self._end_running()
        self._nodes.close()

    # -- overrides of cmd.Cmd ----------------------------------------------------------------------------

    def onecmd(self, line: str) -> bool:
        """Execute a command; true ends the shell."""
        exiting = False

        def work() -> int:
            nonlocal exiting
            exiting = bool(super(Shell, self).onecmd(line))
            return 0

        if exit_code_of(work) == INTERRUPTED:
            print()
        return exiting

    def emptyline(self) -> bool:
        """Ignore an empty line; the base class would repeat the last command."""
        return False

    def default(self, line: str) -> None:
        """Report an unknown command."""
        word = line.split(maxsplit=1)[0]
        known = self.completenames("")
        print_error(
            f"unknown command {word!r}. {did_you_mean(word, known) or f'The commands are {listed(known)}'}"
        )

    def completenames(self, text: str, *_ignored: object) -> list[str]:
        """Return the commands with this prefix."""
        return [name for name in super().completenames(text) if name != "EOF"]

    def get_names(self) -> list[str]:
        """Return the method names for help and completion."""
        return [name for name in super().get_names() if name != "do_EOF"]

    # -- commands ----------------------------------------------------------------------------------------

    def do_allocate(self, line: str) -> None:
        """Show which job would be placed on which node; while the network runs, where its jobs are."""
        _arguments("allocate", line)
        if ask(self._root, self._name, do="status") is not None:
            status_command(self._root, self._name, as_json=False)
        else:
            self._nodes.allocate()

    def do_start(self, line: str) -> None:
        """Start the network until this shell ends: start [--fresh] [--keep-files]. `fission logs` shows the output of jobs."""
        options = {_START_OPTIONS[word]: True for word in _arguments("start", line, options=_START_OPTIONS)}
        if ask(self._root, self._name, do="status") is not None:
            raise UserError("it is running already", where=f"network {self._name}", hint="See: status")
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
            self._wait_until_running(self._running)
        except KeyboardInterrupt:
            self._end_running()
            raise

    def do_stop(self, line: str) -> None:
        """Stop the network on all nodes: stop [--force]."""
        force = bool(_arguments("stop", line, options=["--force"]))
        stop_command(self._root, self._name, force=force)
        if self._running is not None:
            self._end_running()

    def do_status(self, line: str) -> None:
        """Show nodes, jobs and pipes of the running network."""
        _arguments("status", line)
        status_command(self._root, self._name, as_json=False)

    def do_senddata(self, line: str) -> None:
        """Send all files of the network to its nodes ahead of a start."""
        _arguments("senddata", line)
        self._nodes.send()

    def do_removedata(self, line: str) -> None:
        """Remove the folders and files of the network from its nodes."""
        _arguments("removedata", line)
        self._nodes.remove()

    def do_reboot(self, line: str) -> None:
        """Reboot devices, if their services allow it: reboot [NODE]...; without a node all of them."""
        chosen = _split(line)
        if self._nodes.cluster is not None:
            raise UserError("embedded nodes run on this machine and cannot be rebooted", where="reboot")
        if sys.stdin.isatty() and input(f"Reboot {', '.join(chosen) or 'all nodes'}? [y/N] ").lower() != "y":
            return
        self._nodes.reboot(chosen)

    def do_startcluster(self, line: str) -> None:
        """Show the nodes that answer. With startcluster --embedded N: start N nodes on this machine and use them from now on."""
        words = _split(line)
        if words:
            if (
                len(words) != 2
                or words[0] != "--embedded"
                or not words[1].isdigit()
                or not 0 < int(words[1]) <= 200
            ):
                raise UserError(
                    "wrong arguments",
                    where="startcluster",
                    expected="none, or --embedded N (1 to 200)",
                    found=line,
                )
            self._refuse_while_it_runs("startcluster")
            self._nodes.open(int(words[1]))
        self._nodes.show()

    def do_closecluster(self, line: str) -> None:
        """Stop the nodes that startcluster --embedded started; the shell then uses those in NODES again."""
        _arguments("closecluster", line)
        if self._nodes.cluster is None:
            raise UserError("this shell has not started an embedded cluster", where="closecluster")
        self._refuse_while_it_runs("closecluster")
        self._nodes.close()

    def do_clear(self, line: str) -> None:
        """Clear the screen."""
        _arguments("clear", line)
        print("\033[H\033[2J\033[3J", end="", flush=True)

    def do_exit(self, line: str) -> bool:
        """Exit, as Ctrl+D does. The network and the nodes that this shell started stop."""
        _arguments("exit", line)
        return True

    def do_EOF(self, _line: str) -> bool:  # noqa: N802 - cmd calls it so
        """Exit."""
        if sys.stdin.isatty():
            print()
        return True

    # -- completion --------------------------------------------------------------------------------------

    def complete_start(self, text: str, *_places: object) -> list[str]:
        """Return the options with this prefix."""
        return [word for word in _START_OPTIONS if word.startswith(text)]

    def complete_startcluster(self, text: str, *_places: object) -> list[str]:
        """Return the option if it has this prefix."""
        return [word for word in ("--embedded",) if word.startswith(text)]

    def complete_reboot(self, text: str, *_places: object) -> list[str]:
        """Return the addresses with this prefix."""
        return [node for node in self._nodes.addresses() if node.startswith(text)]

    # -- inside ------------------------------------------------------------------------------------------

    def _refuse_while_it_runs(self, command: str) -> None:
        if ask(self._root, self._name, do="status") is not None:
            raise UserError(
                "not possible while the network is running", where=command, hint="Stop it first: stop"
            )

    def _wait_until_running(self, process: "subprocess.Popen[bytes]") -> None:
        while process.poll() is None:
            answer = ask(self._root, self._name, do="status")
            if answer is not None and answer["network"]["phase"] == "running":
                states = [job["state"] for job in answer["network"]["jobs"]]
                waiting = states.count(STATES[JobState.WAITING])
                if waiting or all(
                    state in (STATES[JobState.RUNNING], STATES[JobState.FINISHED]) for state in states
                ):
                    print(
                        f"{self._name} is running"
                        + (f"; {waiting} of its jobs wait for a node" if waiting else "")
                    )
                    return
            time.sleep(_POLL_SECONDS)
        self._running = None
        text = self._errors.read_text(encoding="utf-8", errors="replace").strip()
        if process.returncode:
            raise RunError(
                "the network did not start",
                where=f"network {self._name}",
                found=text.removeprefix("error: ") or f"exit code {process.returncode}",
                hint="" if text else f"`fission run {self._name}` shows why",  # the disk may be full
            )
        print(f"{self._name} has already finished")

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
        raise UserError(f"the line cannot be parsed: {error}", found=line) from None


def _arguments(command: str, line: str, options: "list[str] | dict[str, str] | tuple[()]" = ()) -> list[str]:
    """Return the arguments of a command. Raises UserError for an unknown one."""
    words = _split(line)
    for word in words:
        if word not in options:
            raise UserError(
                f"unknown argument {word!r}", where=command, expected=" or ".join(options) or "no argument"
            )
    return words


def _load_history(path: Path) -> None:
    """Load the history of earlier sessions, and save it at exit."""
    import atexit  # noqa: PLC0415 - not every Python has readline
    import readline  # noqa: PLC0415

    readline.set_history_length(_HISTORY)
    with contextlib.suppress(OSError):
        readline.read_history_file(path)
    write: Callable[[Path], None] = readline.write_history_file

    def save() -> None:
        with contextlib.suppress(OSError):
            write(path)

    atexit.register(save)
