"""Projects of the first FISSION, with the `manage.py` and the scripts that their owners wrote, run unchanged."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

MANAGE = """
import os
import sys

def main():
    network = sys.argv[1]
    os.environ.setdefault("FISSION_CONFIG_MODULE", f"{network}.config")
    try:
        from fission.manager import execute_from_command_line
    except ImportError as exc:
        raise ImportError("Is FISSION installed?") from exc
    execute_from_command_line(sys.argv)

if __name__ == "__main__":
    main()
"""

SCRIPT = """
import os
from importlib import import_module

from fission.manager import execute_simulation

args = []
network = "net"
os.environ.setdefault("FISSION_CONFIG_MODULE", f"{network}.config")
config = import_module(os.environ["FISSION_CONFIG_MODULE"])
execute_simulation(config, network, *args)
print("the script goes on")
"""

JOBS = """
from fission.core.jobs import PythonJob

class CountJob(PythonJob):
    def run(self):
        yield from range(5)

class PrintJob(PythonJob):
    def run(self, value):
        print("got", value)
"""

CONFIG = """
from fission.core.pipes import PicklePipe
from net.jobs.jobs import CountJob, PrintJob

USER = "pi"
JOBS = [CountJob(outputs=[PicklePipe(101)]), PrintJob(inputs=[PicklePipe(101)])]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project with the manage.py of an older version."""
    (tmp_path / "manage.py").write_text(MANAGE)
    (tmp_path / "simulate_net.py").write_text(textwrap.dedent(SCRIPT))
    return tmp_path


def python(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a script; the environment is ours, without settings of the first FISSION."""
    environment = {name: value for name, value in os.environ.items() if name != "FISSION_CONFIG_MODULE"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def with_network(project: Path) -> Path:
    started = python(project, "manage.py", "net", "startnetwork")
    assert started.returncode == 0, started.stderr
    (project / "net/jobs/jobs.py").write_text(JOBS)
    (project / "net/config.py").write_text(CONFIG)
    return project


def test_its_manage_starts_and_simulates_a_network(project: Path) -> None:
    result = python(with_network(project), "manage.py", "net", "simulate", "--until-finished")
    assert result.returncode == 0, result.stderr
    assert [f"PrintJob 2 | got {n}" in result.stdout for n in range(5)] == [True] * 5
    assert (project / "net/simulation/info.txt").read_text() == "1: CountJob 1\n2: PrintJob 2\n"


def test_its_manage_works_from_another_folder(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    result = python(elsewhere, str(with_network(project) / "manage.py"), "net", "check")
    assert (result.returncode, result.stdout) == (0, "net: 2 jobs, 1 pipe, no nodes: no problems\n")


def test_its_manage_ends_with_the_exit_code_of_the_command(project: Path) -> None:
    result = python(project, "manage.py", "nothing", "simulate")
    assert result.returncode == 2
    assert result.stderr.startswith("error: network 'nothing': there is no such network")
    result = python(project, "manage.py", "net")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)


def test_a_script_simulates_a_config_that_it_has_imported(project: Path) -> None:
    result = python(with_network(project), "simulate_net.py")
    assert result.returncode == 0, result.stderr
    assert [f"PrintJob 2 | got {n}" in result.stdout for n in range(5)] == [True] * 5
    assert result.stdout.endswith("the script goes on\n")


def test_what_the_script_changes_in_the_config_counts(project: Path) -> None:
    with_network(project)
    script = SCRIPT.replace("execute_simulation(config", "config.JOBS.pop()\nexecute_simulation(config")
    (project / "simulate_net.py").write_text(script)
    result = python(project, "simulate_net.py")
    assert result.returncode == 2
    assert "error E113 pipe 101 (PicklePipe): has no destination" in result.stderr
    assert "the script goes on" not in result.stdout


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ('execute_simulation(config, "other")', "the module is not the configuration of this network"),
        ('execute_simulation(config, network, "elsewhere")', "the folder of a simulation cannot be chosen"),
    ],
)
def test_a_script_with_a_mistake_gets_one_line(project: Path, call: str, error: str) -> None:
    with_network(project)
    script = SCRIPT.replace("execute_simulation(config, network, *args)", call)
    (project / "simulate_net.py").write_text(script)
    result = python(project, "simulate_net.py")
    assert result.returncode == 2
    assert error in result.stderr
    assert len(result.stderr.splitlines()) == 1
