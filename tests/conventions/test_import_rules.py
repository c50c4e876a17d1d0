"""The import rules cover every module, and their exceptions are listed here as well."""

import configparser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "fission"

EXCEPTIONS = {
    "fission.core.jobs.pacing -> time",
    "fission.core.jobs.logged -> time",
    "fission.core.jobs.logged -> psutil",
}
"""Every import that a contract ignores. An entry here needs a comment with its reason in `.importlinter`."""

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
