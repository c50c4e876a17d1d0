"""What pages point to is there: links, anchors, files of the repository, names of the library, commands."""

import ast
import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from fission.management.cli.apps import PROJECT_VERBS, fission_app

from .pages import ROOT, all_pages, fences

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
MADE_LATER = {"ansible/certs", "ansible/certs/client", "benchmarks/results/"}
"""Named in pages, and not there before something was run."""

PAGES = pytest.mark.parametrize("page", all_pages(), ids=lambda page: str(page.relative_to(ROOT)))


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of a page as GitHub makes them; MkDocs checks its own."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@PAGES
def test_links(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link}: there is no {target}"
        assert not anchor or anchor in anchors(target), f"{link}: there are {anchors(target)}"


@PAGES
def test_files_that_are_named(page: Path) -> None:
    places = [ROOT, ROOT / "src" / "fission"]
    folders = {entry.name for place in places for entry in place.iterdir() if entry.is_dir()}
    for name in CODE.findall(prose(page)):
        first, slash, _ = name.partition("/")
        if slash and first in folders and name not in MADE_LATER:
            assert any((place / name).exists() for place in places), f"{name} is not in the repository"


@PAGES
def test_python(page: Path) -> None:
    for fence in fences(page):
        if fence.language != "python":
            continue
        for node in ast.walk(ast.parse(fence.body)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fission"):
                module = importlib.import_module(node.module or "")
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{node.module} has no {alias.name}"


@PAGES
def test_commands(page: Path) -> None:
    rules = "".join((ROOT / name).read_text(encoding="utf-8") for name in ("Makefile", "ansible/targets.mk"))
    targets = " ".join(re.findall(r"^([a-z_ -]+):", rules, re.MULTILINE)).split()
    lines = [line for fence in fences(page) if fence.language == "sh" for line in fence.body.splitlines()]
    lines += [name for name in CODE.findall(prose(page)) if name.startswith(("fission ", "make "))]
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[0] == "make":
            assert words[1] in targets, line
        elif words[0] == "fission":
            check_command(words[1:], line)
        elif words[:2] == ["python3", "manage.py"]:
            assert words[3] in PROJECT_VERBS, line


def check_command(words: list[str], line: str) -> None:
    """The command exists, and so do its options."""
    command: Any = typer.main.get_command(fission_app())
    while words and not words[0].startswith("-") and hasattr(command, "commands"):
        assert words[0] in command.commands, line
        command = command.commands[words.pop(0)]
    known = {name for parameter in command.params for name in parameter.opts} | {"--help", "-h"}
    if not command.context_settings.get("ignore_unknown_options"):  # else they are another program's
        assert {word for word in words if word.startswith("-")} <= known, line


def test_the_map_names_files_that_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", text))
    assert len(named) > 20
    assert sorted(name for name in named if not (ROOT / "src/fission" / name).exists()) == []
