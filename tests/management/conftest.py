"""The three programs, run in this process, in a project on disk."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fission.core import base
from fission.management import manage
from fission.management.cli import admin, fission
from fission.project.scaffold import start_network, start_project
from kits.command_line import CONFIG, JOBS, Result, Run
from kits.stalled import Pipe


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with the sound network `demo`; the working directory."""
    path, modules, bytecode = list(sys.path), set(sys.modules), sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    root = start_project(tmp_path, "greenhouse")
    folder = start_network(root, "demo")
    (folder / "config.py").write_text(CONFIG)
    (folder / "jobs/jobs.py").write_text(JOBS)
    monkeypatch.chdir(root)
    monkeypatch.delenv("NO_COLOR", raising=False)
    yield root
    base.reset()
    sys.path[:], sys.dont_write_bytecode = path, bytecode
    own = {path.name for path in root.iterdir()}
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] in own:
            del sys.modules[name]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run "fission ...", "manage.py ..." or "fission_admin.py ..."."""

    def run(program: str, *arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", [program, *arguments])
        capfd.readouterr()
        try:
            if program == "manage.py":
                code = manage.main(list(arguments), root=Path.cwd())
            else:
                code = {"fission": fission.main, "fission_admin.py": admin.main}[program]()
        except SystemExit as exit:
            code = int(exit.code or 0)
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return run
