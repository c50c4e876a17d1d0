"""Examples are copied under any name, and a copy is a network without problems."""

from pathlib import Path

import numpy as np  # noqa: F401 - loaded before the fixture that removes what a test imports: numpy loads once per process
import pytest

from fission.errors import ProjectError
from fission.project import examples as module
from fission.project.checks import check
from fission.project.examples import examples, find_example
from fission.project.load import load_network
from fission.project.scaffold import start_network, start_project

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/*/config.py"))


def test_every_example_has_a_name_of_its_own_and_one_line() -> None:
    found = examples()
    assert [example.name for example in found] == NAMES
    for example in found:
        assert example.readme.is_file()
        assert 20 < len(example.summary) < 90
        assert example.summary.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_is_a_network_without_problems(tmp_path: Path, name: str) -> None:
    root = start_project(tmp_path, "greenhouse")
    (root / "shared/jobs/jobs.py").write_text("# what the networks of this project share\n")
    folder = start_network(root, "copied_net", find_example(name))
    network, problems = load_network(root, "copied_net")
    assert [one for one in (*problems, *check(network)) if one.level == "error"] == []
    original, _ = load_network(EXAMPLES / find_example(name).folder.parent.name, name)
    assert [(job.id, type(job).__name__) for job in network.jobs] == [
        (job.id, type(job).__name__) for job in original.jobs
    ]
    assert (folder / "source").is_dir()
    for path in folder.rglob("*.py"):
        assert f"from {name}." not in path.read_text()
    assert not any(
        path.name in (".gitkeep", "__pycache__", "simulation") for path in folder.rglob("*.gitkeep")
    )


def test_modules_of_shared_are_copied_into_the_network(tmp_path: Path) -> None:
    root = start_project(tmp_path, "greenhouse")
    before = (root / "shared/jobs/jobs.py").read_text()
    folder = start_network(root, "mine", find_example("demo_network_v2"))
    assert "from mine.jobs.shared_jobs import SourceJob" in (folder / "config.py").read_text()
    assert "class SourceJob" in (folder / "jobs/shared_jobs.py").read_text()
    assert (root / "shared/jobs/jobs.py").read_text() == before


def test_what_a_run_left_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = tmp_path / "examples/small/tape"
    for place in ("simulation/2", "jobs/__pycache__", "jobs"):
        (original / place).mkdir(parents=True, exist_ok=True)
    (original / "config.py").write_text("from tape.jobs.jobs import A\n# python3 manage.py tape simulate\n")
    (original / "__init__.py").write_text('"""A tape."""\n')
    (original / "simulation/2/numbers.csv").touch()
    (original / "jobs/jobs.py").write_text("PATH = 'tape/source/a.wav'\nOTHER = 'my_tape/x'\n")
    (original / "jobs/jobs.py").chmod(0o755)
    monkeypatch.setattr(module, "_root", lambda: tmp_path / "examples")
    folder = start_network(start_project(tmp_path, "greenhouse"), "reel", find_example("tape"))
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) == [
        "__init__.py",
        "config.py",
        "jobs",
        "jobs/jobs.py",
        "source",
    ]
    assert (folder / "config.py").read_text() == (
        "from reel.jobs.jobs import A\n# python3 manage.py reel simulate\n"
    )
    assert (folder / "jobs/jobs.py").read_text() == "PATH = 'reel/source/a.wav'\nOTHER = 'my_tape/x'\n"
    assert (folder / "jobs/jobs.py").stat().st_mode & 0o100


def test_an_unknown_example_names_those_there_are() -> None:
    with pytest.raises(
        ProjectError, match=r"'seperation': there is no such example; .*Did you mean 'separation'"
    ):
        find_example("seperation")


def test_examples_that_are_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.errors, "__file__", str(tmp_path / "lib/fission/__init__.py"))
    with pytest.raises(ProjectError, match="the examples are not installed"):
        examples()
