"""What a node does when a client has it look around, and what it does not do for anybody."""

import asyncio
import ctypes
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fission.diagnosis.facts import MachineFacts, Outcome
from fission.diagnosis.machine_rules import machine_findings
from fission.engine.node.machine import measure_machine
from fission.engine.node.probe import EXAMINE, OPEN, PROBES, REACH, TARGETS, Allowance, NodeProbe, declined
from fission.engine.transport.reach import ProbePort, reach
from fission.errors import RunError
from fission.security import IdentityFiles
from fission.security.ephemeral import ephemeral_authority

HERE = "127.0.0.1"
Ask = Callable[..., Awaitable[Any]]


def play(
    scenario: Callable[[Ask], Awaitable[None]], root: Path, identity: IdentityFiles | None = None
) -> None:
    async def work() -> None:
        probe = NodeProbe(HERE, root, identity)
        operations = probe.operations()
        assert operations.keys() == PROBES
        try:
            async with asyncio.timeout(60):
                await scenario(lambda operation, **arguments: operations[operation](arguments))
        finally:
            probe.close()

    asyncio.run(work())


def test_a_node_describes_its_machine_and_its_certificate(tmp_path: Path) -> None:
    folder = ephemeral_authority(tmp_path / "certs", [HERE]).node(HERE)

    async def scenario(ask: Ask) -> None:
        answer = await ask(EXAMINE)
        assert MachineFacts.read(answer["machine"]) != MachineFacts()
        assert answer["certificate"] == (folder / "cert.pem").read_bytes()
        assert answer["authority"] == (folder / "ca.pem").read_bytes()
        assert b"PRIVATE" not in answer["certificate"] + answer["authority"]
        several = await asyncio.gather(*(ask(EXAMINE) for _ in range(20)))
        assert all(one["machine"] == several[0]["machine"] for one in several)

    play(scenario, tmp_path, IdentityFiles(folder))


def test_a_node_opens_a_port_and_reaches_others(tmp_path: Path) -> None:
    async def scenario(ask: Ask) -> None:
        opened = await ask(OPEN, seconds=20)
        assert (await reach(HERE, opened["port"], opened["token"])).outcome is Outcome.REACHED
        closed = ProbePort(HERE, 20)
        await closed.open()
        closed.close()
        targets = [
            [HERE, opened["port"], opened["token"]],
            [HERE, opened["port"], "another"],
            [HERE, closed.port, ""],
            ["pi2.local", opened["port"], ""],
        ]
        found = await ask(REACH, targets=targets)
        assert [one[0] for one in found] == ["reached", "stranger", "refused", "declined"]
        assert await ask(REACH, targets=[]) == []

    play(scenario, tmp_path)


@pytest.mark.parametrize(
    ("operation", "arguments", "text"),
    [
        (OPEN, {}, "wrong time"),
        (OPEN, {"seconds": 0}, "wrong time"),
        (OPEN, {"seconds": 31}, "wrong time"),
        (OPEN, {"seconds": "20"}, "wrong time"),
        (OPEN, {"seconds": float("nan")}, "wrong time"),
        (REACH, {}, "no targets"),
        (REACH, {"targets": [[HERE, 8785, ""]] * (TARGETS + 1)}, "no targets"),
        (REACH, {"targets": [[HERE, 8785]]}, "no target"),
        (REACH, {"targets": [[HERE, "8785", ""]]}, "no target"),
        (REACH, {"targets": [[HERE, 8785, "x" * 65]]}, "no target"),
        (REACH, {"targets": [[HERE, 8785, "\xe4"]]}, "no target"),
    ],
)
def test_requests_that_make_no_sense(
    tmp_path: Path, operation: str, arguments: dict[str, Any], text: str
) -> None:
    async def scenario(ask: Ask) -> None:
        with pytest.raises(RunError, match=text):
            await ask(operation, **arguments)

    play(scenario, tmp_path)


def test_open_ports_are_bounded(tmp_path: Path) -> None:
    async def scenario(ask: Ask) -> None:
        for _ in range(8):
            await ask(OPEN, seconds=20)
        with pytest.raises(RunError, match="too many ports"):
            await ask(OPEN, seconds=20)

    play(scenario, tmp_path)


def test_targets_are_bounded(tmp_path: Path) -> None:
    async def scenario(ask: Ask) -> None:
        for _ in range(8):
            await ask(REACH, targets=[["declined", 1, ""]] * TARGETS)
        with pytest.raises(RunError, match="too many probes"):
            await ask(REACH, targets=[["declined", 1, ""]] * TARGETS)

    play(scenario, tmp_path)


PI = "192.168.4.2"


@pytest.mark.parametrize(
    ("address", "port", "own", "allowed"),
    [
        (PI, 8785, PI, True),
        (PI, 1024, PI, True),
        (PI, 1023, PI, False),
        (PI, 22, PI, False),
        (PI, 65535, PI, True),
        (PI, 65536, PI, False),
        (PI, -1, PI, False),
        ("8.8.8.8", 8785, PI, True),
        ("127.0.0.1", 8785, PI, False),
        ("::1", 8785, "fd00::2", False),
        ("::1", 8785, "::1", True),
        ("::ffff:127.0.0.1", 8785, PI, False),
        ("127.0.0.2", 8785, "127.0.0.1", True),
        ("169.254.169.254", 8785, PI, False),
        ("169.254.3.4", 8785, "169.254.1.1", True),
        ("224.0.0.1", 8785, PI, False),
        ("0.0.0.0", 8785, PI, False),
        ("::", 8785, "fd00::2", False),
        ("255.255.255.255", 8785, PI, False),
        ("pi2.local", 8785, PI, False),
        ("", 8785, PI, False),
        ("fd00::3", 8785, "fd00::2", True),
    ],
)
def test_where_a_node_connects_to(address: str, port: int, own: str, allowed: bool) -> None:
    assert (declined(address, port, own) == "") is allowed


@given(
    st.floats(1, 100),
    st.floats(0, 10),
    st.lists(st.tuples(st.integers(0, 64), st.floats(0, 20)), max_size=30),
)
def test_an_allowance_is_never_exceeded(burst: float, rate: float, steps: list[tuple[int, float]]) -> None:
    allowance, now, taken = Allowance(burst, rate), 0.0, [(0.0, 0)]
    for count, pause in steps:
        now += pause
        if allowance.take(count, now):
            taken.append((now, count))
        else:
            assert count > min(burst, rate * pause) - 1e-6  # what the pause alone has brought is there
        for since, _ in taken:
            total = sum(number for at, number in taken if at >= since)
            assert total <= burst + rate * (now - since) + 1e-6


def test_the_facts_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = measure_machine(tmp_path / "not" / "there" / "yet")
    assert 0 < facts.memory_free <= facts.memory_total
    assert 0 <= facts.disk_free <= facts.disk_total
    assert 0 < facts.first_port < facts.last_port < 1 << 16
    assert facts.clock in ("", "synchronized", "not synchronized")
    assert facts.files > 0
    assert facts.user
    assert MachineFacts.read(facts.plain()) == facts
    assert list(machine_findings("here", facts))


@pytest.mark.parametrize(
    ("state", "answer", "clock"),
    [
        (0, "no", "synchronized"),
        (5, "yes", "not synchronized"),
        (-1, "yes", "synchronized"),
        (-1, "no", "not synchronized"),
        (-1, "", ""),
    ],
)
def test_a_clock_is_known_from_the_kernel_or_from_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: int, answer: str, clock: str
) -> None:
    class Library:
        """A C library whose kernel may forbid to ask for the clock."""

        def __init__(self, _name: None) -> None:
            pass

        def adjtimex(self, _buffer: object) -> int:
            return state

    monkeypatch.setattr(ctypes, "CDLL", Library)
    program = tmp_path / "timedatectl"
    program.write_text(f"#!/bin/sh\necho {answer}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert measure_machine(tmp_path).clock == clock


def test_batctl_that_may_not_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "batctl"
    program.write_text("#!/bin/sh\necho 'Error - need to be root' >&2\nexit 1\n")
    program.chmod(0o755)
    interface = tmp_path / "net" / "bat0"
    interface.mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert (
        measure_machine(tmp_path).mesh in ("none", "ok")
        or "need to be root" in measure_machine(tmp_path).mesh
    )
    monkeypatch.setattr("fission.engine.node.machine.NETWORKS", interface.parent)
    assert "need to be root" in measure_machine(tmp_path).mesh
    program.write_text("#!/bin/sh\necho '[]'\n")
    assert measure_machine(tmp_path).mesh == "ok"
    program.unlink()
    assert "not installed" in measure_machine(tmp_path).mesh
    interface.rmdir()
    assert measure_machine(tmp_path).mesh == "none"
