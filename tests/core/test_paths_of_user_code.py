"""The import paths that projects of the first FISSION use, and the errors that they catch."""

import importlib
from pathlib import Path

import pytest

from fission import errors
from fission.core import base
from fission.core.jobs import Head, PythonJob
from fission.core.pipes import PicklePipe
from fission.errors import FissionError

PATHS = {
    "fission.build": "load_network",
    "fission.core.base": "JOBS PIPES NODES GROUPS reset BaseJob BasePipe BaseNode",
    "fission.core.jobs": """PythonJob ExecutableJob MARVELOJob DynamicExecutableJob DynamicMARVELOJob LocalJob
        InteractiveJob CSVSinkJob SourceJob ForwardingJob DistributingJob ClockJob LoggingJob LoggingSinkJob BaseJob Head""",
    "fission.core.network": "Network AllocationError",
    "fission.core.nodes": "BaseNode MultiNode LocalNode NodeInfo",
    "fission.core.pipes": """BasePipe PicklePipe JSONPipe BytesPipe OptionalPicklePipe OptionalJSONPipe OptionalBytesPipe
        OptionalMixIn ReadPickleMixIn WritePickleMixIn PickleMixIn ReadJSONMixIn WriteJSONMixIn JSONMixIn""",
    "fission.emulate": "emulate JobEmulator PipeEmulator",
    "fission.loader": "CSVLoader XMLLoader",
    "fission.manager": "execute_from_command_line execute_simulation",
}


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in PATHS.items() for name in names.split()]
)
def test_the_path_exists(module: str, name: str) -> None:
    assert getattr(importlib.import_module(module), name) is not None
    assert name in importlib.import_module(module).__all__


@pytest.mark.parametrize("module", ["fission.core.jobs", "fission.core.pipes", "fission.emulate"])
def test_another_name_is_an_attribute_error(module: str) -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'Nothing'"):
        _ = importlib.import_module(module).Nothing


def test_one_class_has_one_identity() -> None:
    from fission.core import head, network  # noqa: PLC0415
    from fission.emulate import JobEmulator  # noqa: PLC0415
    from fission.emulate.jobs import JobEmulator as Original  # noqa: PLC0415

    assert Head is head.Head
    assert network.AllocationError is errors.AllocationError
    assert JobEmulator is Original


class AnyJob(PythonJob):
    pass


def test_a_pipe_knows_the_jobs_at_its_ends() -> None:
    base.reset()
    pipe = PicklePipe(101)
    assert (pipe.source, pipe.destination) == (None, None)
    writer = AnyJob(outputs=[PicklePipe(101)])
    reader = AnyJob(inputs=[PicklePipe(101)])
    assert pipe.source is writer
    assert pipe.destination is reader
    base.reset()
    assert (pipe.source, pipe.destination) == (None, None)


def test_a_head_has_its_number_and_its_bytes_under_the_old_names() -> None:
    assert Head(0b0101, 1).head == 5
    assert Head(258, 2).to_bytes() == Head(258, 2).to_bytes(2, "big") == b"\1\2"
    assert Head(258, 2).to_bytes(2, byteorder="little") == b"\2\1"


@pytest.mark.parametrize(
    "name", ["AllocationError", "ConfigError", "JobDefinitionError", "NetworkError", "PipeError"]
)
def test_an_error_of_the_structure_is_a_runtime_error(name: str) -> None:
    kind: type[FissionError] = getattr(errors, name)
    assert issubclass(kind, RuntimeError)


def test_two_classes_for_one_pipe_are_a_runtime_error() -> None:
    base.reset()
    PicklePipe(1)
    with pytest.raises(RuntimeError, match=r"the id is taken"):
        importlib.import_module("fission.core.pipes").JSONPipe(1)
    base.reset()


def test_nodes_come_from_a_csv_file(tmp_path: Path) -> None:
    from fission.loader import CSVLoader  # noqa: PLC0415

    base.reset()
    file = tmp_path / "nodes.csv"
    file.write_text("one, 192.168.4.2, MICROPHONE\ntwo, 192.168.4.3\n")
    nodes = CSVLoader().load_nodes(str(file))
    assert [(node.name, node.ip) for node in nodes] == [("one", "192.168.4.2"), ("two", "192.168.4.3")]
    assert "MICROPHONE" in nodes[0].groups
    base.reset()


@pytest.mark.parametrize(("text", "what"), [("one\n", "name, address"), (None, "no file")])
def test_a_csv_file_that_cannot_be_used_is_a_runtime_error(
    tmp_path: Path, text: str | None, what: str
) -> None:
    from fission.loader import CSVLoader  # noqa: PLC0415

    file = tmp_path / "nodes.csv"
    if text is not None:
        file.write_text(text)
    with pytest.raises(RuntimeError, match=rf"the nodes cannot be loaded.*{what}"):
        CSVLoader().load_nodes(file)
