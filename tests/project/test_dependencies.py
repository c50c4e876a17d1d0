"""What a job needs lies in its folder."""

import importlib
import json
import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from fission.core.jobs import PythonJob
from fission.core.network import Network
from fission.errors import ProjectError
from fission.project.job_files.dependencies import Dependencies, find_dependencies, install_dependencies


class Job(PythonJob):
    def run(self) -> None:
        """Do nothing."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A job's working directory."""
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def build(root: Path, value: Any, module: str = "demo.jobs.jobs") -> tuple[Network, Job]:
    kind = type("Job", (Job,), {"DEPENDENCIES": value, "__module__": module})
    network, _ = Network.build("demo", [kind()], folder=str(root / "demo"))
    return network, network.jobs[0]  # type: ignore[return-value]


def find(root: Path, value: Any, module: str = "demo.jobs.jobs") -> Dependencies:
    return find_dependencies(*build(root, value, module))


def test_nothing(root: Path, folder: Path) -> None:
    assert find(root, None) == Dependencies()
    install_dependencies(*build(root, None), folder)
    assert not any(folder.iterdir())


def test_a_folders_files_lie_in_the_jobs_folder(root: Path, folder: Path) -> None:
    source = root / "demo/source/sum"
    (source / "deep").mkdir(parents=True)
    (source / "deep/table.txt").write_text("1")
    (source / "__pycache__").mkdir()
    (source / "program").write_text("#!/bin/sh")
    (source / "program").chmod(0o755)
    install_dependencies(*build(root, "demo/source/sum"), folder)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) == [
        "deep",
        "deep/table.txt",
        "program",
    ]
    assert os.access(folder / "program", os.X_OK)


@pytest.mark.parametrize("text", ["demo/source", "source", "./demo/source/", "{root}/demo/source"])
def test_where_a_path_begins(root: Path, text: str) -> None:
    assert find(root, text.format(root=root)).folders == (root / "demo/source",)


def test_a_class_of_shared_finds_what_lies_in_shared(root: Path) -> None:
    (root / "shared/source/filters").mkdir()
    assert find(root, "source/filters", "shared.jobs.jobs").folders == (root / "shared/source/filters",)
    assert find(root, "source/filters").missing == ("source/filters",)


def test_paths_of_modules(root: Path, folder: Path) -> None:
    (root / "helper.py").write_text("x = 1")
    install_dependencies(*build(root, ["helper.py", Path("demo/source")]), folder)
    assert [path.name for path in folder.iterdir()] == ["helper.py"]


def test_modules_that_every_job_process_can_import_are_not_copied(root: Path) -> None:
    inside = types.ModuleType("helper")
    inside.__file__ = str(root / "helper.py")
    assert find(root, [json, sys, pytest, inside, "json", "xml.dom"]) == Dependencies()


def test_modules_from_elsewhere_are_copied(
    root: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lib/toolbox").mkdir(parents=True)
    (tmp_path / "lib/toolbox/__init__.py").write_text("")
    (tmp_path / "lib/toolbox/drill.py").write_text("")
    (tmp_path / "lib/single_tool.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    modules = [importlib.import_module(name) for name in ("toolbox", "single_tool", "toolbox.drill")]
    install_dependencies(*build(root, modules), folder)
    assert sorted(path.name for path in folder.iterdir()) == ["single_tool.py", "toolbox"]
    assert (folder / "toolbox/drill.py").exists()


def test_what_is_missing_or_wrong(root: Path) -> None:
    found = find(root, ["nowhere", "no/where.py", "no.such.module", "json.nothing", 5, "", None])
    assert found.missing == ("nowhere", "no/where.py", "no.such.module", "json.nothing")
    assert found.wrong == (5, "", None)


def test_what_cannot_be_copied(root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("shutil.copy2", refuse)
    (root / "demo/source/table.txt").write_text("1")
    with pytest.raises(ProjectError, match="job Job 1: its dependencies cannot be copied: Permission denied"):
        install_dependencies(*build(root, "source"), folder)
