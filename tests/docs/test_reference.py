"""The reference pages say what the code says: options, settings, class attributes and their defaults, signatures."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import typer

import fission
from fission.api import AsyncHandle, BlockStream, Handle
from fission.core import head, jobs, nodes, pipes
from fission.core.jobs import BaseJob
from fission.core.network import Settings
from fission.core.pipes import BasePipe, OptionalMixIn
from fission.management.cli.apps import ADMIN_VERBS, PROJECT_VERBS, fission_app
from fission.project.settings import OTHER_SETTINGS, SETTINGS

from .pages import DOCS

REFERENCE = DOCS / "reference"
NOT_USED_YET = {"JobStatus", "STOPPED", "RUNNING", "RESTARTING", "FINISHED"}
"""Public names that no page describes, because nothing in this version gives them out."""


def read(page: str) -> str:
    return (REFERENCE / page).read_text(encoding="utf-8")


def sections(text: str) -> dict[str, str]:
    """The text below each heading of the second level."""
    found = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def rows(text: str) -> list[list[str]]:
    """The cells of all tables."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def options(command: Any) -> set[str]:
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    return {name for one in shown for name in one.opts if name.startswith("-")}


# -- commands ------------------------------------------------------------------------------------------------


def leaves(group: Any, before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= leaves(command, f"{name} ")
        else:
            found[before + name] = command
    return found


def test_commands_and_their_options() -> None:
    page = sections(read("commands.md"))
    everywhere = {
        word for row in rows(page["Options of all commands"]) for word in re.findall(r"`(-[-a-z]*)", row[0])
    }
    app: Any = typer.main.get_command(fission_app())
    commands = leaves(app)
    assert set(page) - {"Options of all commands", "Exit codes"} == set(commands)
    for name, command in commands.items():
        told = {word for row in rows(page[name]) for word in re.findall(r"`(-[-a-z]*)", row[0])}
        assert told == options(command) - everywhere, name
    for option in options(app):
        assert f"`fission {option}`" in page["Options of all commands"]


def test_forms_of_the_commands() -> None:
    table = rows(read("commands.md").partition("## ")[0])[1:]
    modern = [row[1].strip("`").split()[1:] for row in table]
    app: Any = typer.main.get_command(fission_app())
    assert {" ".join(word for word in words if word.islower()) for words in modern} == set(leaves(app))
    old = [row[2].strip("`").split() for row in table if row[2]]
    assert {words[-1] for words in old if words[0] == "python3"} == set(PROJECT_VERBS)
    assert {words[-1] for words in old if words[0] == "fission_admin.py"} == {*ADMIN_VERBS, "certs"}


# -- settings and class attributes ---------------------------------------------------------------------------


def test_settings() -> None:
    table = {
        row[0].strip("`"): row for row in rows(sections(read("config.md"))["Settings"]) if row[0] != "name"
    }
    assert set(table) == {setting.name for setting in SETTINGS} | set(OTHER_SETTINGS)
    for setting in SETTINGS:
        default = ast.literal_eval(table[setting.name][2].strip("`"))
        assert default == getattr(Settings(), setting.field), setting.name


@pytest.mark.parametrize(
    ("page", "section", "kind"),
    [
        ("jobs.md", "Class attributes", BaseJob),
        ("pipes.md", "Class attributes", BasePipe),
        ("pipes.md", "Optional pipes", OptionalMixIn),
    ],
)
def test_class_attributes(page: str, section: str, kind: type) -> None:
    table = {row[0].strip("`"): row[1].strip("`") for row in rows(sections(read(page))[section])}
    attributes = {name: value for name, value in vars(kind).items() if name.isupper()}
    if kind is OptionalMixIn:
        attributes.pop("ASYNC")
    assert {name for name in table if name.isupper()} == set(attributes)
    for name, value in attributes.items():
        assert eval(table[name]) == value, name  # 16 << 20 is no literal


# -- names and signatures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("page", "module"), [("jobs.md", jobs), ("pipes.md", pipes), ("config.md", nodes)])
def test_every_public_name_is_described(page: str, module: object) -> None:
    words = set(re.findall(r"\w+", read(page) + read("jobs.md")))
    bases = {"BaseJob", "BasePipe"}
    assert set(module.__all__) - NOT_USED_YET - bases <= words  # type: ignore[attr-defined]


def test_every_name_and_method_for_programs_is_described() -> None:
    page = read("python.md")
    words = set(re.findall(r"\w+", page))
    assert set(fission.__all__) <= words
    for kind in (Handle, BlockStream):
        public = {name for one in kind.__mro__[:-1] for name in vars(one) if not name.startswith("_")}
        assert public - {"leave", "failure", "configure", "serve", "end"} <= words
    assert {name for name in vars(AsyncHandle) if not name.startswith("_")} - {"leave"} <= words


@pytest.mark.parametrize("call", ["simulate", "run", "load"])
def test_parameters_for_programs(call: str) -> None:
    [text] = re.findall(rf"`({call}\([^`]*\))`", read("python.md"))[:1]
    told = ast.parse(f"def {text}: pass").body[0]
    assert isinstance(told, ast.FunctionDef)
    names = [one.arg for one in (*told.args.args, *told.args.kwonlyargs)]
    assert names == list(inspect.signature(getattr(fission, call)).parameters)


@pytest.mark.parametrize("page", sorted(REFERENCE.glob("*.md")), ids=lambda page: page.name)
def test_signatures(page: Path) -> None:
    for text in re.findall(r"`(\w+\([^`]*\))`", page.read_text(encoding="utf-8")):
        try:
            call = ast.parse(text, mode="eval").body
        except SyntaxError:
            continue
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            continue
        kind = next((vars(m)[call.func.id] for m in (head, nodes) if call.func.id in vars(m)), None) or next(
            (getattr(m, call.func.id) for m in (jobs, pipes) if call.func.id in m.__all__), None
        )
        if kind is None:
            continue
        known = inspect.signature(kind.__init__).parameters
        for one in call.args:
            if isinstance(one, ast.Name):
                assert one.id in known, text
        for keyword in call.keywords:
            assert keyword.arg in known, text
            default = known[keyword.arg].default
            if isinstance(keyword.value, ast.Constant) and keyword.arg != "name":
                told = keyword.value.value
                assert told == default or (keyword.arg == "block_count" and default is None and told == 1), (
                    text
                )
