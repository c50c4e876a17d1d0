"""export: to stdout, into a file, and what cannot be written."""

import json
from pathlib import Path

import pytest

from kits.command_line import CONFIG, Run


@pytest.mark.parametrize("command", [("fission", "export", "demo"), ("manage.py", "demo", "export")])
def test_json_on_stdout(root: Path, run: Run, command: tuple[str, ...]) -> None:
    result = run(*command)
    assert (result.code, result.err) == (0, "")
    assert [job["name"] for job in json.loads(result.out)["jobs"]] == ["SourceJob 1", "SinkJob 2"]


@pytest.mark.parametrize(
    ("form", "begin"), [("graphml", "<?xml"), ("dot", "digraph"), ("mermaid", "graph LR"), ("json", "{")]
)
def test_into_a_file(root: Path, run: Run, form: str, begin: str) -> None:
    result = run("fission", "export", "demo", "-f", form, "-o", "out")
    assert (result.code, result.out) == (0, "Wrote demo into out\n")
    assert (root / "out").read_text().startswith(begin)


def test_what_xml_cannot_say(root: Path, run: Run) -> None:
    result = run("fission", "export", "demo", "-f", "xml", "-o", "out")
    assert result.code == 2
    assert result.err.startswith(
        "error: network demo: the network cannot be written as XML: SourceJob 1 is not a MARVELO job"
    )
    assert not (root / "out").exists()


def test_mistakes(root: Path, run: Run) -> None:
    result = run("fission", "export", "demo", "-f", "jsn")
    assert result.code == 2
    assert "jsn: unknown format; expected one of json, graphml" in result.err
    assert "Did you mean 'json'?" in result.err
    result = run("fission", "export", "demo", "-o", "no/where")
    assert (result.code, result.out) == (2, "")
    assert "no/where: it cannot be written: No such file or directory" in result.err


def test_an_incomplete_network_is_written_with_a_warning(root: Path, run: Run) -> None:
    (root / "demo/config.py").write_text(CONFIG + "JOBS[1].inputs.append(PicklePipe(7))")
    result = run("fission", "export", "demo")
    assert result.err == "warning: 2 errors: fission check demo\n"
    assert len(json.loads(result.out)["jobs"]) == 2
