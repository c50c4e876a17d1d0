"""What prevents an installation is said in one line, with the fix."""

from dataclasses import replace

import pytest

from fission.deployment.deployment import Package, node_name, require_same
from fission.deployment.device_facts import DeviceFacts
from fission.errors import RunError

GOOD = DeviceFacts(
    hostname="pi1",
    address="192.168.4.2",
    machine="aarch64",
    system="Linux",
    python="3.11",
    venv=True,
    systemd=True,
    free=1 << 33,
    root=False,
    sudo="yes",
    clock=1000.0,
    wheels="",
    version="",
    active=False,
)


def test_a_usable_device() -> None:
    GOOD.require_usable("pi", 1000.0)
    GOOD.require_root("pi", password=False)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"systemd": False}, "the node service needs Linux with systemd"),
        ({"venv": False}, "its Python has no module venv. On the device: sudo apt-get install python3-venv"),
        ({"machine": "mips"}, "its architecture is not supported"),
        ({"free": 1 << 20}, "its disk is full; expected 500 MB free for /opt/fission, found 1 MB"),
        ({"clock": 1e6}, "its clock is 999000 s ahead of this machine's"),
        ({"clock": 1.0}, "its clock is 999 s behind this machine's"),
        (
            {"address": "fe80::1%eth0"},
            "clients cannot use the address that ssh connects to; found fe80::1%eth0",
        ),
        ({"address": ""}, "clients cannot use the address that ssh connects to"),
    ],
)
def test_what_prevents_it(change: dict[str, object], text: str) -> None:
    with pytest.raises(RunError) as caught:
        replace(GOOD, **change).require_usable("pi", 1000.0)
    assert str(caught.value).startswith(f"pi: {text}")


def test_root_or_sudo_is_needed() -> None:
    replace(GOOD, root=True, sudo="missing").require_root("pi", password=False)
    asks = replace(GOOD, sudo="password")
    asks.require_root("pi", password=True)
    with pytest.raises(RunError, match=r"sudo asks for a password\. Add --ask"):
        asks.require_root("pi", password=False)
    with pytest.raises(RunError, match="it has no sudo"):
        replace(GOOD, sudo="missing").require_root("pi", password=True)


def test_an_answer_that_is_none() -> None:
    with pytest.raises(RunError, match="what it says of itself cannot be understood"):
        DeviceFacts.read("pi", {"hostname": "pi1"})


def test_another_package_needs_an_upgrade() -> None:
    package = Package(b"", "digest")
    require_same("pi", GOOD, package)
    require_same("pi", replace(GOOD, wheels="digest"), package)
    with pytest.raises(RunError, match=r"another package .* there \(version 1\.2\)\. Add --upgrade"):
        require_same("pi", replace(GOOD, wheels="other", version="1.2"), package)


def test_names_are_unique() -> None:
    assert node_name("pi@192.168.4.2", GOOD, {}) == "pi1"
    assert node_name("pi@192.168.4.2", GOOD, {"pi1": "192.168.4.2"}) == "pi1"
    assert node_name("pi@roof", GOOD, {"pi1": "192.168.4.9"}) == "roof"
    assert node_name("roof", GOOD, {"pi1": "192.168.4.9", "roof": "192.168.4.8"}) == "pi1-192.168.4.2"
