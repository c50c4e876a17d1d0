"""The pytest plugin: jobs and pipes of a network in tests, with their real runtime.

| name                    | what it is                                                                           |
|-------------------------|--------------------------------------------------------------------------------------|
| `fission_cfg`           | the config module of the network whose folder the test lies in, run anew for it      |
| `fission_cfg_jobs`      | a function: index in `JOBS` to emulator; they end with the test                      |
| `fission_test_job`      | define it: a fixture that returns the job that you want to test                      |
| `fission_test_emulator` | the emulator of that job                                                             |
| `fission_reset`         | jobs, pipes and nodes of earlier tests are forgotten; ids begin with 1               |
| `@pytest.mark.slow`     | the test runs only with `--runslow`                                                  |
"""

# ruff: noqa: PLC0415 - every pytest in an environment with fission loads this: nothing is imported before it is needed

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

    from fission.core.jobs import ExecutableJob, PythonJob
    from fission.emulate.jobs import JobEmulator


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --runslow, unless a conftest.py defines it already."""
    with contextlib.suppress(ValueError):
        parser.getgroup("fission").addoption(
            "--runslow", action="store_true", default=False, help="run tests that are marked as slow"
        )


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark."""
    config.addinivalue_line("markers", "slow: runs only with --runslow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip slow tests without --runslow."""
    if config.getoption("--runslow", default=False):
        return
    skip = pytest.mark.skip(reason="slow: runs with --runslow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


def pytest_load_initial_conftests(early_config: pytest.Config, args: Sequence[str]) -> None:
    """Make the modules of the project importable, from any working directory."""
    from fission.testing.networks import project_of

    here = early_config.invocation_params.dir
    places = [here / arg.partition("::")[0] for arg in args if not arg.startswith("-")]
    for place in (here, *(place for place in places if place.exists())):
        root = project_of(place)
        if root is not None and str(root) not in sys.path:
            sys.path.insert(0, str(root))


@pytest.fixture
def fission_reset() -> Iterator[None]:
    """Clear the registries of jobs, pipes, nodes and groups, before and after the test."""
    from fission.core import registry

    registry.reset()
    yield
    registry.reset()


@pytest.fixture
def fission_cfg(request: pytest.FixtureRequest, fission_reset: None) -> ModuleType:  # noqa: ARG001 - it comes first
    """Return the config module of the network of the test; its jobs are created anew."""
    from fission.testing.networks import load_config

    return load_config(request.path)


@pytest.fixture
def fission_cfg_jobs(fission_cfg: ModuleType) -> Iterator[Callable[..., JobEmulator]]:
    """Return a function: the emulator of JOBS[index], the same one for the same index; it takes a `timeout` too."""
    from fission.emulate import emulate
    from fission.testing.networks import job_at, network_of

    network = network_of(fission_cfg)
    with contextlib.ExitStack() as stack:
        emulators: dict[int, JobEmulator] = {}

        def emulator_of(index: int, *, timeout: float | None = 10.0) -> JobEmulator:
            job = job_at(network, index)
            if job.id not in emulators:
                emulators[job.id] = stack.enter_context(emulate(job, network=network, timeout=timeout))
            return emulators[job.id]

        yield emulator_of


@pytest.fixture
def fission_test_job() -> PythonJob | ExecutableJob:
    """Define a fixture of this name: it returns the job for `fission_test_emulator`."""
    pytest.fail(
        "fission_test_emulator needs a job: define a fixture fission_test_job that returns one", pytrace=False
    )


@pytest.fixture
def fission_test_emulator(
    request: pytest.FixtureRequest, fission_test_job: PythonJob | ExecutableJob
) -> Iterator[JobEmulator]:
    """Return the emulator of `fission_test_job`; it ends with the test."""
    from fission.emulate import emulate
    from fission.testing.networks import network_around, network_of

    config: Any = request.getfixturevalue("fission_cfg") if "fission_cfg" in request.fixturenames else None
    network = network_around(request.path) if config is None else network_of(config)
    with emulate(fission_test_job, network=network) as emulator:
        yield emulator
