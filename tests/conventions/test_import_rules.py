"""The import rules cover every module, and their exceptions are listed here as well."""

import ast
import configparser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "fission"

EXCEPTIONS = {
    "fission.core.jobs.logged -> time",
    "fission.core.jobs.pacing -> time",
    "fission.core.jobs.logged -> psutil",
}
"""Every import that a contract ignores. An entry here needs a comment with its reason in `.importlinter`."""

FILES = {"core/jobs/files.py"}
"""Files of the pure rooms that call `open`: sinks write files in the process of their job."""

OUTSIDE = {"open", "input", "print", "breakpoint"}
"""Builtins that reach files or a terminal, which no import rule sees."""

PURE = {"core", "channel", "placement", "cluster", "monitor", "errors"}


def contracts() -> dict[str, configparser.SectionProxy]:
    rules = configparser.ConfigParser(inline_comment_prefixes=None)
    rules.read_string((ROOT / ".importlinter").read_text(encoding="utf-8"))
    prefix = "importlinter:contract:"
    return {name.removeprefix(prefix): rules[name] for name in rules.sections() if name.startswith(prefix)}


CONTRACTS = contracts()


def items(contract: configparser.SectionProxy, option: str) -> list[str]:
    lines = (line.strip() for line in contract.get(option, "").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def modules(folder: Path) -> set[str]:
    return {
        path.stem
        for path in folder.iterdir()
        if (path.suffix == ".py" and path.stem not in ("__init__", "__main__"))
        or (path / "__init__.py").is_file()
    }


LAYERS = {name: contract for name, contract in CONTRACTS.items() if contract["type"] == "layers"}


@pytest.mark.parametrize("name", LAYERS)
def test_every_module_has_its_layer(name: str) -> None:
    contract = LAYERS[name]
    assert contract.getboolean("exhaustive")
    for container in items(contract, "containers"):
        listed = {module.strip() for line in items(contract, "layers") for module in line.split("|")}
        assert listed == modules(PACKAGE.joinpath(*container.split(".")[1:]))


def test_the_top_level_is_governed() -> None:
    assert any(items(contract, "containers") == ["fission"] for contract in LAYERS.values())


def test_the_pure_rooms_are_governed() -> None:
    assert {f"fission.{room}" for room in PURE} <= set(items(CONTRACTS["pure"], "source_modules"))


def test_exceptions_do_not_grow_unnoticed() -> None:
    ignored = [entry for contract in CONTRACTS.values() for entry in items(contract, "ignore_imports")]
    assert sorted(ignored) == sorted(EXCEPTIONS)


def calls_of_builtins(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    return called & OUTSIDE


def test_pure_rooms_open_no_files() -> None:
    files = [path for room in PURE for path in [*(PACKAGE / room).rglob("*.py"), PACKAGE / f"{room}.py"]]
    found = {str(path.relative_to(PACKAGE)): calls_of_builtins(path) for path in files if path.is_file()}
    assert len(found) > 50
    assert {path: calls for path, calls in found.items() if calls} == {path: {"open"} for path in FILES}
