"""Networks in JSON: what is read, and what is said about mistakes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fission.core import base
from fission.core.jobs import CSVSinkJob, SourceJob
from fission.core.pipes import ArrayPipe, PicklePipe
from fission.errors import ConfigError
from fission.project.description import from_json
from fission.project.formats.export import to_json
from fission.project.loaded import LoadedNetwork


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    base.reset()
    yield
    base.reset()


def read(folder: Path, described: object) -> LoadedNetwork:
    path = folder / "net.json"
    path.write_text(described if isinstance(described, str) else json.dumps(described))
    return from_json(path)


SOURCE = {"class": "fission.core.jobs.SourceJob", "arguments": {"start": 5}, "outputs": [1]}
SINK = {
    "class": "fission.core.jobs.CSVSinkJob",
    "arguments": {"path": "x.csv"},
    "inputs": [1],
    "groups": ["LOCAL"],
}


def test_a_network(tmp_path: Path) -> None:
    network = read(
        tmp_path,
        {
            "network": "demo",
            "jobs": [SOURCE, SINK],
            "pipes": [
                {"id": 1, "class": "fission.core.pipes.ArrayPipe", "arguments": {"dtype": "f4", "shape": [2]}}
            ],
            "nodes": [{"address": "10.0.0.2", "groups": ["ALL", "MICS"], "max_jobs": 3}],
            "settings": {"SECURITY": "off"},
        },
    )
    assert network.name == "demo"
    assert not network.problems
    source, sink = network.jobs
    assert isinstance(source, SourceJob)
    assert source.start == 5
    assert isinstance(sink, CSVSinkJob)
    assert isinstance(network.edge(1).pipe, ArrayPipe)
    assert network.nodes[0].groups == ("ALL", "MICS")
    assert network.settings.security == "off"


def test_what_export_writes_is_read(tmp_path: Path) -> None:
    network, _ = LoadedNetwork.build(
        "demo", [SourceJob(outputs=[PicklePipe(1)]), SourceJob(inputs=[PicklePipe(1)], name="second")]
    )
    text = to_json(network)
    again = read(tmp_path, text)
    assert json.loads(to_json(again))["pipes"] == json.loads(text)["pipes"]
    assert [job.inputs for job in again.jobs][1][0].id == 1


MISTAKES: list[tuple[Any, str]] = [
    ("{", "net.json: it is not valid JSON"),
    ([], "net.json: wrong value; expected an object with names and values, found \\[\\]"),
    ({"job": []}, "there is no 'job'; expected any of network, jobs.* Did you mean 'jobs'"),
    ({"jobs": {}}, "net.json, jobs: wrong value; expected a list"),
    (
        {"jobs": [{"class": "os.path.join"}]},
        r"net.json, jobs\[0\], class: wrong value; expected the path of a BaseJob",
    ),
    (
        {"jobs": [{"class": "no.such.Class"}]},
        r"jobs\[0\]: the class cannot be imported: .*No module named 'no'",
    ),
    (
        {"jobs": [{"class": "fission.core.jobs.CSVSinkJob"}]},
        r'CSVSinkJob cannot be made: .*path.*go into "arguments"',
    ),
    ({"jobs": [{**SOURCE, "outputs": ["1"]}]}, r"jobs\[0\], outputs: wrong value; expected a list of ids"),
    ({"pipes": [{"id": -1}]}, r"pipes\[0\]: PicklePipe cannot be made: .*wrong id"),
    ({"nodes": [{"address": ""}]}, r"nodes\[0\]"),
    ({"settings": {"SECURITY": "no"}}, 'settings, SECURITY: wrong value; expected "tls" or "off"'),
    ({"settings": {"SECURE": 1}}, "there is no 'SECURE'"),
]


@pytest.mark.parametrize(("described", "error"), MISTAKES, ids=lambda value: str(value)[:30])
def test_mistakes_are_explained(described: object, error: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=error):
        read(tmp_path, described)
