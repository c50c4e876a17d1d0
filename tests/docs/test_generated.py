"""Pages that are made from the code are what the code says, and every diagram can be drawn."""

import importlib.util
import re
import shutil
import sys
from types import ModuleType

import pytest

from fission.channel.conversation import ReceiverState, SenderState
from fission.project.checks import RULES

from .pages import DOCS, ROOT, all_pages, fences


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate_docs = script("generate_docs")
site_diagrams = script("site_diagrams")
DIAGRAMS = [fence.body for page in all_pages() for fence in fences(page) if fence.language == "mermaid"]


def test_pages_are_what_the_code_says() -> None:
    pages = generate_docs.pages()
    assert {page.name for page in pages} == {"checks.md", "pipe-states.md"}
    for page, text in pages.items():
        assert page.read_text(encoding="utf-8") == text, "run: python scripts/generate_docs.py"


def test_every_check_and_every_state_is_there() -> None:
    checks = (DOCS / "reference" / "checks.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| ([EW]\d{3}) ", checks, re.MULTILINE) == sorted(
        (rule.id for rule in RULES), key=lambda id: (id[1:], id)
    )
    states = (DOCS / "explanation" / "pipe-states.md").read_text(encoding="utf-8")
    for state in (*SenderState, *ReceiverState):
        assert f"| {state.name} |" in states, "every state has a line that says what it means"


def test_a_stale_page_is_noticed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    page = DOCS / "reference" / "checks.md"
    monkeypatch.setattr(generate_docs, "pages", lambda: {page: "something else"})
    monkeypatch.setattr(sys, "argv", ["generate_docs.py", "--check"])
    assert generate_docs.main() == 1
    assert "stale" in capsys.readouterr().out


@pytest.mark.parametrize("diagram", DIAGRAMS)
def test_diagrams_can_be_drawn(diagram: str) -> None:
    assert site_diagrams.to_dot(diagram).startswith("digraph")
    if shutil.which("dot"):
        assert "<svg" in site_diagrams.draw(diagram)


def test_what_is_not_understood_ends_the_build() -> None:
    for wrong in ("pie\n a: 1", "graph LR\n  1 ==> 2", "stateDiagram-v2\n  note left of A"):
        with pytest.raises(ValueError, match=r"unknown kind|neither|no transition"):
            site_diagrams.to_dot(wrong)


def test_a_page_without_graphviz_keeps_its_diagram(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    page = "```mermaid\ngraph LR\n  1 --> 2\n```\n"
    assert site_diagrams.on_page_markdown(page) == page
