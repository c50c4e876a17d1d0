"""`fission-node` as a process: what it says, how it starts, how it ends, and what it does for a real client."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from fission.core import base
from fission.core.jobs import SourceJob
from fission.engine.client.link import StreamClientLink
from fission.engine.host.job_spec import pickle_job
from fission.engine.protocol import link_messages
from fission.engine.protocol.interfaces import JobOrder
from fission.errors import ConfigError
from fission.management.node.options import NodeOptions, guess_address, read_options
from fission.runtime.messages import JobSpec
from fission.security import load_identity
from fission.security.ephemeral import ephemeral_authority

NODE = "127.0.0.7"
DEADLINE = 30.0


@dataclass
class Service:
    """A running fission-node. `port` waits until it serves."""

    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)

    def line(self, word: str) -> str:
        """The first line of its log that has this word, read up to there."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if word in line:
                return line
        raise AssertionError(f"no {word!r} in {self.lines}")

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; return the exit code and how long the end took."""
        before = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(DEADLINE), time.monotonic() - before


def start(*options: str, stdin: int | None = subprocess.DEVNULL) -> Service:
    return Service(
        subprocess.Popen(
            [sys.executable, "-m", "fission.node", *options],
            stdin=stdin,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    )


def fails(*options: str) -> str:
    """Run it with something that makes a start impossible; return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "fission.node", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Any]:
    """Start a service in clear text, with further options."""
    running: list[Service] = []

    def run(*options: str, stdin: int | None = subprocess.DEVNULL) -> Service:
        basics = ("--address", NODE, "--port", "0", "--root", str(tmp_path / f"root{len(running)}"))
        one = start(*basics, *(options or ("--security", "off")), stdin=stdin)
        running.append(one)
        return one

    yield run
    for one in running:
        with one.process as process:  # closes its pipes and waits
            process.kill()


# -- its options ---------------------------------------------------------------------------------------------


def test_help_teaches() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fission.node", "--help"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=True,
    )
    assert "Usage: fission-node" in done.stdout
    assert "fission-node --config /etc/fission/node.toml" in done.stdout


def test_the_command_line_goes_before_the_file_and_that_before_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text('slots = 3\nport = 9000\ngroups = ["roof", "lab"]\nname = "pi"\nroot = "~/files"\n')
    options = read_options({"port": 9001, "groups": None, "log_level": "debug"}, file)
    assert (options.slots, options.port, options.groups, options.name) == (3, 9001, ("roof", "lab"), "pi")
    assert (options.log_level, options.root) == ("DEBUG", Path.home() / "files")
    assert options.address == guess_address()
    assert read_options({"groups": "a, b,a"}, None).groups == ("a", "b")
    assert read_options({}, None).slots >= 1
    assert read_options({}, None).certs == NodeOptions().certs
    file.write_text('allow_reboot = true\nreboot_command = "sudo reboot"\n')
    options = read_options({}, file)
    assert (options.allow_reboot, options.reboot_command) == (True, "sudo reboot")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("slot = 3", "unknown setting 'slot'. Did you mean 'slots'?"),
        ("slots = 0", "slots: invalid value; expected a whole number from 1 to 10000, found 0"),
        ("slots = true", "slots: invalid value"),
        ("allow_reboot = 1", "allow_reboot: invalid value; expected true or false, found 1"),
        ('port = "x"', "port: invalid value; expected a whole number from 0 to 65535, found 'x'"),
        (
            'address = "0.0.0.0"',
            "address: invalid value; expected an IP address of this machine, found '0.0.0.0'",
        ),
        ("groups = [1]", "groups: invalid value"),
        ('security = "none"', "security: invalid value; expected tls or off, found 'none'"),
        ("log = ", "this is no TOML"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, line: str) -> None:
    file = tmp_path / "node.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        read_options({}, file)
    assert str(file) in str(error.value)
    assert line in str(error.value)


def test_what_makes_a_start_impossible_is_said_in_a_line(tmp_path: Path, service: Any) -> None:
    assert "--port: invalid value" in fails("--port", "-1")
    said = fails("--address", "192.0.2.77", "--security", "off", "--root", str(tmp_path / "r"))
    assert (
        said == "error: --address: 192.0.2.77 is no address of this machine. `ip -brief address` lists them\n"
    )
    assert "cannot be read" in fails("--config", str(tmp_path / "none.toml"))
    assert "this node has no certificate" in fails("--certs", str(tmp_path / "none"))
    authority = ephemeral_authority(tmp_path / "certs")
    said = fails("--certs", str(authority.client))
    assert "this certificate is not for a node; expected node, found client" in said
    said = fails("--certs", str(authority.node("127.0.0.9")), "--address", NODE)
    assert f"for another address; clients would refuse this node; expected {NODE}, found 127.0.0.9" in said
    assert said.count("\n") == 1
    (tmp_path / "file").touch()
    clear = ("--security", "off", "--address", NODE)
    assert "the folder cannot be created" in fails(*clear, "--root", str(tmp_path / "file" / "x"))
    with socket.create_server((NODE, 0)) as taken:
        port = str(taken.getsockname()[1])
        said = fails(*clear, "--root", str(tmp_path / "r"), "--port", port)
    assert f"{NODE} port {port}: cannot listen" in said
    first = service()
    first.line("listens")
    assert "another process uses this folder" in fails(
        *clear, "--port", "0", "--root", str(tmp_path / "root0")
    )


# -- its life ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_cleanly(service: Any, number: int) -> None:
    one = service()
    assert f"on {NODE} port" in one.line("listens")
    code, _ = one.end(number)
    assert code == 0
    assert "SECURITY IS OFF" in one.lines[0]


def test_the_log_is_json_on_request(service: Any) -> None:
    one = service("--security", "off", "--log", "json", "--name", "roof", "--groups", "a,b")
    entry = json.loads(one.line("listens"))
    assert entry["level"] == "INFO"
    assert entry["text"].startswith("node roof listens")
    assert "groups a, b" in entry["text"]
    assert entry["time"].endswith("+00:00")


def test_it_ends_with_its_lifeline(service: Any) -> None:
    one = service("--security", "off", "--lifeline", stdin=subprocess.PIPE)
    one.line("listens")
    one.process.stdin.close()
    assert one.process.wait(DEADLINE) == 0


# -- with a client -------------------------------------------------------------------------------------------


@dataclass
class Client:
    """What a client of the service hears."""

    up: asyncio.Event = field(default_factory=asyncio.Event)
    down: asyncio.Event = field(default_factory=asyncio.Event)
    events: "asyncio.Queue[Any]" = field(default_factory=asyncio.Queue)

    def link(self, identity: Any) -> StreamClientLink:
        return StreamClientLink(
            identity=identity,
            network="net",
            client="client-1",
            pulse_interval=0.5,
            up=lambda _node: self.up.set(),
            down=lambda _node, _reason: self.down.set(),
            refused=lambda node, reason: self.events.put_nowait((node, reason)),
            posted=lambda _node, _topic, data: self.events.put_nowait(link_messages.event_from_plain(data)),
        )

    async def hear(self, kind: str) -> Any:
        while True:
            event = await self.events.get()
            if type(event).__name__ == kind:
                return event


def an_order(incarnation: int = 1) -> JobOrder:
    base.reset()
    job = SourceJob(delay=0.01)
    spec = JobSpec(
        run="run",
        job_id=1,
        name="SourceJob 1",
        incarnation=incarnation,
        folder="",
        sys_path=(),
        listen="",
        head_size=1,
        log_level="INFO",
        needed_blocks={},
        queue_limits={},
        job=pickle_job(job),
    )
    return JobOrder("net", "", spec, code="", files="")


def test_a_job_of_a_real_client_over_tls(tmp_path: Path, service: Any) -> None:
    authority = ephemeral_authority(tmp_path / "certs", [NODE])
    one = service("--certs", str(authority.node(NODE)))
    words = one.line("listens").split()
    port = int(words[words.index("port") + 1].rstrip(":"))

    async def talk() -> int:
        client = Client()
        link = client.link(load_identity(authority.client))
        await link.start()
        link.invite({NODE: port})
        await client.up.wait()
        hello = await link.request(NODE, "hello", address=NODE, run="run")
        assert hello["versions"]["python"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
        await link.request(NODE, "start", order=link_messages.order_to_plain(an_order()))
        address = (await client.hear("JobListening")).address
        assert address.startswith(f"tls:{NODE}:")
        assert " unix:/" in address
        await client.hear("JobReady")
        home = tmp_path / "root0" / "net" / "1"
        (process,) = [
            child
            for child in psutil.Process(one.process.pid).children(recursive=True)
            if child.cwd() == str(home)
        ]
        code, seconds = await asyncio.to_thread(one.end)
        await client.down.wait()
        await link.close()
        assert code == 0
        assert seconds < 10
        return process.pid

    async def in_time() -> int:
        async with asyncio.timeout(60):
            return await talk()

    pid = asyncio.run(in_time())
    assert not psutil.pid_exists(pid)
