"""`fission plan`: what it prints, writes and refuses."""

import json
from pathlib import Path

import pytest

from kits.command_line import Run

FIELD = {
    "name": "roof",
    "nodes": [
        {"name": "A", "x": 0, "y": 0, "capacity": 10},
        {"name": "B", "x": 180, "y": 0, "capacity": 30},
        {"name": "C", "x": 360, "y": 20, "capacity": 10},
    ],
    "blocks": [
        {"name": "microphone", "node": "A"},
        {"name": "filter", "demand": 12.5},
        {"name": "speaker", "node": "C"},
    ],
    "links": [["microphone", "filter"], ["filter", "speaker"], ["speaker", "filter"]],
}


@pytest.fixture
def field(tmp_path: Path) -> Path:
    path = tmp_path / "field.json"
    path.write_text(json.dumps(FIELD), encoding="utf-8")
    return path


def test_a_plan_is_printed_written_and_checked(run: Run, field: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    result = run("fission", "plan", str(field), "-o", str(plan))
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("roof: 3 slots, optimal (search, ")
    assert "  B: filter\n" in result.out
    assert "  A -> B: data of microphone\n" in result.out
    checked = run("fission", "plan", "--check", str(field), str(plan))
    assert (checked.code, checked.out) == (0, f"{plan}: valid, 3 slots\n")


def test_drawings(run: Run, field: Path, tmp_path: Path) -> None:
    names = (tmp_path / "map.svg", tmp_path / "slots.svg")
    result = run("fission", "plan", str(field), "--map", str(names[0]), "--slots", str(names[1]))
    assert result.code == 0
    assert f"Drew the map into {names[0]}\nDrew the slots into {names[1]}\n" in result.out
    assert all(path.read_text(encoding="utf-8").startswith("<svg ") for path in names)


def test_a_broken_plan_is_found_out(run: Run, field: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    run("fission", "plan", str(field), "-o", str(plan))
    document = json.loads(plan.read_text(encoding="utf-8"))
    document["placement"]["filter"] = "A"
    plan.write_text(json.dumps(document), encoding="utf-8")
    result = run("fission", "plan", "--check", str(field), str(plan))
    assert result.code == 1
    assert "node A: demands of 12.5 exceed the capacity 10 [capacity]\n" in result.out


def test_a_generated_problem_can_be_planned(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "made.json"
    words = ("--nodes", "6", "--blocks", "7", "--sources", "3", "--side", "600", "--seed", "4")
    assert run("fission", "plan", "--generate", *words, "-o", str(path)).code == 0
    assert len(json.loads(path.read_text(encoding="utf-8"))["nodes"]) == 6
    printed = run("fission", "plan", "--generate", *words)
    assert printed.out == path.read_text(encoding="utf-8")
    assert run("fission", "plan", str(path), "--seconds", "0.05").code == 0


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"nodes": "A"}, "field.json, nodes: it is wrong; expected a list, found 'A'"),
        ({"nodes": [{"name": "A", "y": 0}]}, "field.json, nodes[0].x: it is missing"),
        (
            {"nodes": [{"name": "A", "x": "far", "y": 0, "capacity": 1}]},
            "field.json, nodes[0].x: it is wrong; expected a number, found 'far'",
        ),
        ({"links": [["microphone"]]}, "field.json, links[0]: it is wrong; expected a list of two names"),
        (
            {"links": [["microphone", "flter"]]},
            "field.json, link microphone -> flter: there is no such block; expected one of filter,",
        ),
        (
            {"blocks": [{"name": "x", "demand": -1}]},
            "field.json, block x, demand: it is out of range; expected a number of at least 0",
        ),
        (
            {"blocks": [{"name": "x", "node": "Z"}]},
            "block x, node: there is no such node; expected one of A, B, C",
        ),
        (
            {"nodes": [FIELD["nodes"][0], {"name": "B", "x": 0, "y": 0, "capacity": 1}]},
            "field.json, node B: it has the position of node A; expected a distance",
        ),
        (
            {"radio": {"exponent": 0}},
            "field.json, radio, exponent: it is out of range; expected a number above 0",
        ),
        ({"instances": []}, "field.json, instances: the list is empty"),
        ({"instances": [FIELD, FIELD]}, "field.json: it has 2 instances; expected the name of one"),
    ],
)
def test_mistakes_in_the_file(run: Run, field: Path, change: dict[str, object], text: str) -> None:
    field.write_text(json.dumps(FIELD | change), encoding="utf-8")
    result = run("fission", "plan", str(field))
    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    assert text in result.err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("plan", "the file is missing; expected fission plan FILE"),
        ("plan {field} other.json", "PLAN is for --check"),
        ("plan --check {field}", "--check needs two files"),
        (
            "plan {field} --method magic",
            "magic: there is no such method; expected one of auto, search, exact",
        ),
        ("plan {field} --seconds 0", "seconds: it is out of range"),
        ("plan nowhere.json", "nowhere.json: it cannot be read: No such file"),
        ("plan {field} -o /proc/none/plan.json", "it cannot be written"),
        ("plan --generate {field}", "--generate reads no file"),
        ("plan --generate --blocks 2", "blocks: there are too few; expected at least 3"),
        ("plan --generate --load 2", "load: it is out of range"),
        ("plan {field} --instance nobody", "it has no instance 'nobody'"),
    ],
)
def test_wrong_words(run: Run, field: Path, words: str, text: str) -> None:
    result = run("fission", *words.format(field=field).split())
    assert result.code == 2
    assert text in result.err
    assert "Traceback" not in result.err


def test_a_file_that_is_no_json(run: Run, field: Path) -> None:
    field.write_text("{nodes}", encoding="utf-8")
    result = run("fission", "plan", str(field))
    assert result.code == 2
    assert "field.json:1:2: it is no JSON" in result.err
