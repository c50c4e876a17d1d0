"""Which differences between a node and the client matter."""

import sys
from importlib import metadata
from pathlib import Path

import pytest

from fission.engine.protocol.versions import (
    UPGRADE,
    client_refusal,
    differences,
    imported_packages,
    installed_versions,
)

MISSING = "numpy is missing on the node (the client has 2.1.0): pip install numpy==2.1.0"
OURS = {"python": "3.11.7", "fission": "1.2.3", "numpy": "2.1.0"}


@pytest.mark.parametrize(
    ("theirs", "found"),
    [
        (OURS, ()),
        (OURS | {"python": "3.11.2"}, ()),
        (OURS | {"python": "3.12.7"}, ("python 3.12.7 on the node (the client has 3.11.7)",)),
        (OURS | {"fission": "1.2.4"}, ()),
        (
            OURS | {"fission": "1.3.0"},
            ("fission 1.3.0 on the node (the client has 1.2.3): fission deploy --upgrade",),
        ),
        (
            OURS | {"fission": "2.2.3"},
            ("fission 2.2.3 on the node (the client has 1.2.3): fission deploy --upgrade",),
        ),
        (OURS | {"numpy": "2.1.9"}, ()),
        (
            OURS | {"numpy": "1.26.4"},
            ("numpy 1.26.4 on the node (the client has 2.1.0): pip install numpy==2.1.0",),
        ),
        ({"python": "3.11.7", "fission": "1.2.3"}, (MISSING,)),
    ],
)
def test_differences(theirs: dict[str, str], found: tuple[str, ...]) -> None:
    assert differences(theirs, ["numpy", "unknown"], OURS) == found


@pytest.mark.parametrize(
    ("theirs", "refused"), [("1.2.9", False), (None, False), ("1.3.0", True), ("0.2.3", True)]
)
def test_a_node_refuses_clients_of_another_minor_version(theirs: str | None, refused: bool) -> None:
    reason = client_refusal(theirs, OURS)
    assert bool(reason) == refused
    if refused:
        assert reason == f"this node has fission 1.2.3, the client {theirs}. {UPGRADE}"


def test_a_package_that_the_user_does_not_import_does_not_matter() -> None:
    assert differences(OURS | {"numpy": "1.0"}, [], OURS) == ()


def test_imported_packages(tmp_path: Path) -> None:
    good = tmp_path / "good.py"
    good.write_text(
        "import os, numpy.linalg\nfrom rich.text import Text\nfrom . import near\nfrom fission import x\n"
    )
    bad = tmp_path / "bad.py"
    bad.write_text("import (")
    assert imported_packages([good, bad, tmp_path / "missing.py"]) == {"numpy", "rich"}


def test_this_machine_is_like_itself() -> None:
    ours = installed_versions()
    assert {"python", "fission", "numpy"} <= set(ours)
    assert differences(ours, ours) == ()


def test_the_packages_of_modules_are_those_of_the_standard_library(tmp_path: Path) -> None:
    known = metadata.packages_distributions()
    modules = sorted(name for name in known.keys() - sys.stdlib_module_names if name.isidentifier())
    file = tmp_path / "all.py"
    file.write_text("\n".join(f"import {module}" for module in modules))
    names = {name.lower().replace("_", "-").replace(".", "-") for module in modules for name in known[module]}
    assert imported_packages([file]) == names - {"fission"}
