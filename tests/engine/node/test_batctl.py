"""Transmit qualities: tables as batctl's README and man page show them, and a stand-in program on PATH."""

import asyncio
import logging
from pathlib import Path

import pytest

from fission.engine.node.batctl import BEST_TQ, Batctl, parse_json, parse_text
from fission.engine.node.mesh import Mesh
from kits.waiting import until

OLD = """\
[B.A.T.M.A.N. adv 2011.4.0, MainIF/MAC: eth0/fe:fe:00:00:01:01 (bat0)]
  Originator      last-seen (#/255)           Nexthop [outgoingIF]:   Potential nexthops ...
fe:fe:00:00:08:01    0.820s   (194) fe:fe:00:00:02:01 [      eth0]: fe:fe:00:00:03:01 ( 65)
fe:fe:00:00:03:01    0.980s   ( 81) fe:fe:00:00:03:01 [      eth0]: fe:fe:00:00:02:01 ( 45)
fe:fe:00:00:02:01    0.240s   (255) fe:fe:00:00:02:01 [      eth0]: fe:fe:00:00:03:01 ( 81)
"""

STARRED = """\
[B.A.T.M.A.N. adv 2019.4, MainIF/MAC: mesh0/02:ba:de:af:fe:01 (bat0/8e:56:6b:8e:8f:0c BATMAN_IV)]
   Originator        last-seen (#/255) Nexthop           [outgoingIF]
   02:BA:DE:AF:FE:02    0.830s   (236) 02:ba:de:af:fe:03 [     mesh0]
 * 02:ba:de:af:fe:02    0.830s   (198) 02:ba:de:af:fe:02 [     mesh0]
 * 02:ba:de:af:fe:03   12.004s   (  7) 02:ba:de:af:fe:03 [     mesh0]
"""

BATMAN_V = """\
[B.A.T.M.A.N. adv 2022.3, MainIF/MAC: mesh0/02:ba:de:af:fe:01 (bat0/8e:56:6b:8e:8f:0c BATMAN_V)]
   Originator        last-seen ( throughput)  Nexthop           [outgoingIF]
 * 02:ba:de:af:fe:02    0.200s (       54.0) 02:ba:de:af:fe:02 [     mesh0]
"""

JSON = """\
[
    {"hard_ifindex": 3, "hard_ifname": "enp0s1", "last_seen_msecs": 4380,
     "neigh_address": "ae:1b:bf:52:25:58", "orig_address": "16:7b:3c:c2:bf:b8", "tq": 253},
    {"best": true, "hard_ifindex": 3, "hard_ifname": "enp0s1", "last_seen_msecs": 4380,
     "neigh_address": "16:7b:3c:c2:bf:b8", "orig_address": "16:7B:3C:C2:BF:B8", "tq": 251},
    {"best": true, "hard_ifindex": 3, "hard_ifname": "enp0s1", "last_seen_msecs": 4728,
     "neigh_address": "ae:1b:bf:52:25:58", "orig_address": "12:6d:7d:6f:f9:03", "tq": 77}
]
"""

JSON_V = '[{"best":true,"orig_address":"16:7b:3c:c2:bf:b8","throughput":54000}]'


def test_the_old_text_has_one_line_per_originator() -> None:
    assert parse_text(OLD) == {"fe:fe:00:00:08:01": 194, "fe:fe:00:00:03:01": 81, "fe:fe:00:00:02:01": 255}


def test_the_newer_text_marks_the_route_in_use() -> None:
    assert parse_text(STARRED) == {"02:ba:de:af:fe:02": 198, "02:ba:de:af:fe:03": 7}


def test_throughputs_are_no_qualities() -> None:
    assert parse_text(BATMAN_V) == {}
    assert parse_json(JSON_V) == {}


@pytest.mark.parametrize("text", ["", "Error - interface bat0 is not present\n", "fe:fe 0.1s (255)"])
def test_other_text_has_no_originators(text: str) -> None:
    assert parse_text(text) == {}


def test_the_json_marks_the_route_in_use() -> None:
    assert parse_json(JSON) == {"16:7b:3c:c2:bf:b8": 251, "12:6d:7d:6f:f9:03": 77}


def test_an_impossible_quality_is_left_out() -> None:
    assert parse_json('[{"best":true,"orig_address":"16:7b:3c:c2:bf:b8","tq":256}]') == {}


@pytest.mark.parametrize("text", ["", "{}", "[1]", "Error - you must be root to run 'originators_json' !"])
def test_what_is_no_table_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_json(text)


class StandIn:
    """A program named batctl on PATH that answers from files and counts its calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = folder / "batctl"
        self._calls = folder / "calls"
        self.program.write_text(
            f'#!/bin/sh\necho "$@" >> "{self._calls}"\nname="$1"\n'
            f'if [ "$1" = translate ]; then name="translate-$2"; fi\n'
            f'if [ -f "{folder}/$name" ]; then cat "{folder}/$name"; exit 0; fi\n'
            'echo "Error - no valid command or debug table/JSON specified: $1" >&2\nexit 1\n'
        )
        self.program.chmod(0o755)

    def answer(self, command: str, text: str) -> None:
        (self.folder / command).write_text(text)

    def calls(self) -> list[str]:
        return self._calls.read_text().splitlines()


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return StandIn(tmp_path)


def test_a_new_batctl_is_asked_for_json(stand_in: StandIn) -> None:
    stand_in.answer("originators_json", JSON)
    stand_in.answer("translate-10.0.0.2", "16:7b:3c:c2:bf:b8\n")
    stand_in.answer("translate-10.0.0.3", "12:6D:7D:6F:F9:03\n")
    qualities = Batctl().qualities(["10.0.0.2", "10.0.0.3"])
    assert qualities == {"10.0.0.2": 251, "10.0.0.3": 77}
    assert "originators_json" in stand_in.calls()


def test_an_old_batctl_is_asked_for_text_without_names(stand_in: StandIn) -> None:
    stand_in.answer("originators", OLD)
    stand_in.answer("translate-10.0.0.8", "fe:fe:00:00:08:01\n")
    assert Batctl().qualities(["10.0.0.8"]) == {"10.0.0.8": 194}
    assert "originators -n" in stand_in.calls()


def test_garbage_instead_of_json_is_asked_for_as_text(stand_in: StandIn) -> None:
    stand_in.answer("originators_json", "{}")
    stand_in.answer("originators", OLD)
    stand_in.answer("translate-10.0.0.8", "fe:fe:00:00:08:01\n")
    assert Batctl().qualities(["10.0.0.8"]) == {"10.0.0.8": 194}


def test_who_is_not_in_the_mesh_counts_as_perfect(stand_in: StandIn) -> None:
    stand_in.answer("originators_json", JSON)
    stand_in.answer("translate-10.0.0.7", "aa:aa:aa:aa:aa:aa\n")  # in no table
    stand_in.answer("translate-10.0.0.8", "what?\n")
    addresses = ["10.0.0.7", "10.0.0.8", "10.0.0.9"]
    assert Batctl().qualities(addresses) == dict.fromkeys(addresses, BEST_TQ)


def test_an_address_is_translated_once(stand_in: StandIn) -> None:
    stand_in.answer("originators_json", JSON)
    stand_in.answer("translate-10.0.0.2", "16:7b:3c:c2:bf:b8\n")
    batctl = Batctl()
    batctl.qualities(["10.0.0.2"])
    stand_in.answer("originators_json", JSON.replace("251", "99"))
    assert batctl.qualities(["10.0.0.2"]) == {"10.0.0.2": 99}
    assert stand_in.calls().count("translate 10.0.0.2") == 1


def test_a_node_knows_the_links_to_those_that_it_has_met(stand_in: StandIn) -> None:
    stand_in.answer("originators_json", JSON)
    stand_in.answer("translate-10.0.0.2", "16:7b:3c:c2:bf:b8\n")

    async def story() -> None:
        mesh = Mesh()
        mesh.meet(["10.0.0.2", 7])
        watching = asyncio.create_task(mesh.watch())
        await until(lambda: mesh.tq, "link qualities")
        watching.cancel()
        assert mesh.tq == {"10.0.0.2": 251.0}

    asyncio.run(story())


def test_a_node_without_a_mesh_knows_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    mesh = Mesh()
    asyncio.run(mesh.watch())
    assert mesh.tq == {}


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert all(record.levelno == logging.DEBUG for record in caplog.records)
    return [record.getMessage() for record in caplog.records]


def test_without_batctl_every_link_is_perfect_and_one_line_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="fission.engine.node.batctl")
    batctl = Batctl("batctl-that-nobody-has")
    for _ in range(3):
        assert batctl.qualities(["10.0.0.2"]) == {"10.0.0.2": BEST_TQ}
    assert len(complaints(caplog)) == 1
    assert "batctl-that-nobody-has is not installed" in complaints(caplog)[0]


def test_a_failing_batctl_says_why_once(stand_in: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="fission.engine.node.batctl")
    stand_in.program.write_text("#!/bin/sh\necho 'Error - you must be root to run it !' >&2\nexit 1\n")
    batctl = Batctl()
    for _ in range(3):
        assert batctl.qualities(["10.0.0.2"]) == {"10.0.0.2": BEST_TQ}
    assert len(complaints(caplog)) == 1
    assert "you must be root" in complaints(caplog)[0]


def test_another_reason_or_a_new_failure_is_a_new_line(
    stand_in: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="fission.engine.node.batctl")
    batctl = Batctl()
    batctl.qualities([])
    stand_in.answer("originators_json", JSON)
    batctl.qualities([])
    (stand_in.folder / "originators_json").unlink()
    batctl.qualities([])
    stand_in.program.write_text("#!/bin/sh\nexit 3\n")
    batctl.qualities([])
    assert len(complaints(caplog)) == 3
    assert "exit code 3" in complaints(caplog)[-1]


def test_a_batctl_that_hangs_is_ended(stand_in: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="fission.engine.node.batctl")
    stand_in.program.write_text("#!/bin/sh\nexec sleep 60\n")
    assert Batctl(timeout=0.2).qualities(["10.0.0.2"]) == {"10.0.0.2": BEST_TQ}
    assert "longer than 0.2 s" in complaints(caplog)[0]


def test_a_program_that_cannot_be_started_is_a_reason(
    stand_in: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="fission.engine.node.batctl")
    stand_in.program.write_text("#!/no/such/interpreter\n")
    assert Batctl().qualities(["10.0.0.2"]) == {"10.0.0.2": BEST_TQ}
    assert "cannot be started" in complaints(caplog)[0]


def test_a_device_that_took_over_an_address_is_found(stand_in: StandIn) -> None:
    stand_in.answer("originators_json", JSON)
    stand_in.answer("translate-10.0.0.2", "16:7b:3c:c2:bf:b8\n")
    batctl = Batctl()
    batctl.qualities(["10.0.0.2"])
    stand_in.answer("translate-10.0.0.2", "12:6d:7d:6f:f9:03\n")
    stand_in.answer("originators_json", JSON.replace("16:7B:3C:C2:BF:B8", "aa:aa:aa:aa:aa:aa"))
    assert batctl.qualities(["10.0.0.2"]) == {"10.0.0.2": BEST_TQ}
    assert batctl.qualities(["10.0.0.2"]) == {"10.0.0.2": 77}


def test_no_more_programs_are_started_when_the_time_is_over(stand_in: StandIn) -> None:
    stand_in.program.write_text(f"#!/bin/sh\necho $1 >> {stand_in.folder}/calls\nexec sleep 60\n")
    Batctl(timeout=1.0).qualities(["10.0.0.2"])
    assert stand_in.calls() == ["originators_json"]
