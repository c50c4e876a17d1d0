"""The examples that come with FISSION: networks that a project can copy."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from fission import errors
from fission.errors import ProjectError
from fission.project.suggest import did_you_mean, listed

_TEXTS = (".py", ".xml")
"""Files in which the names of the network are rewritten."""
_NOT_COPIED = frozenset(
    ("__pycache__", ".gitkeep", "simulation", "local", ".fission", ".emulate", "network.pdf")
)
"""What a run leaves in a network, and what only keeps an empty folder in git."""


@dataclass(frozen=True, slots=True)
class Example:
    """A network of the examples: its name, its folder, and one line about it."""

    name: str
    folder: Path
    summary: str

    @property
    def readme(self) -> Path:
        """The page about the project that the network is part of."""
        return self.folder.parent / "README.md"


def examples() -> list[Example]:
    """Return the examples, sorted by the name of their networks. Raises ProjectError when they are not installed."""
    root = _root()
    found = [
        Example(config.parent.name, config.parent, _summary(config.parent / "__init__.py"))
        for config in root.glob("*/*/config.py")
    ]
    return sorted(found, key=lambda example: example.name)


def find_example(name: str) -> Example:
    """Return the example with this name. Raises ProjectError, with the names that there are."""
    known = {example.name: example for example in examples()}
    if name not in known:
        guess = did_you_mean(name, known)
        raise ProjectError(
            "there is no such example",
            where=f"example {name!r}",
            expected=f"one of {listed(known)}",
            hint=guess or "fission examples lists them",
        )
    return known[name]


def copy_example(example: Example, folder: Path, name: str) -> None:
    """Copy an example into the empty `folder`, as the network `name`.

    Imports and paths of the network follow its new name. Modules that the network imports from the example's `shared`
    are copied into the network, since `shared` belongs to the networks that the project has already:
    `shared.jobs.jobs` becomes `NAME.jobs.shared_jobs`.
    """
    shared = _shared_modules(example)
    for path in sorted(example.folder.rglob("*")):
        place = path.relative_to(example.folder)
        if not _NOT_COPIED.isdisjoint(place.parts):
            continue
        if path.is_dir():
            (folder / place).mkdir(exist_ok=True)
        else:
            _copy_file(path, folder / place, example.name, name)
    for package, module in shared:
        source = example.folder.parent / "shared" / package / f"{module}.py"
        (folder / package).mkdir(exist_ok=True)
        _copy_file(source, folder / package / f"shared_{module}.py", example.name, name)


_SHARED = re.compile(r"^(\s*(?:from|import)\s+)shared\.(\w+)\.(\w+)", re.MULTILINE)


def _shared_modules(example: Example) -> list[tuple[str, str]]:
    """Return package and name of the modules of `shared` that the network imports."""
    texts = (path.read_text(encoding="utf-8") for path in example.folder.rglob("*.py"))
    return sorted({(found[2], found[3]) for text in texts for found in _SHARED.finditer(text)})


def _copy_file(source: Path, target: Path, old: str, new: str) -> None:
    content = source.read_bytes()
    if source.suffix in _TEXTS:
        content = _renamed(content.decode(), old, new).encode()
    target.write_bytes(content)
    target.chmod(target.stat().st_mode | source.stat().st_mode & 0o111)  # programs stay executable


def _renamed(text: str, old: str, new: str) -> str:
    """Rewrite imports of the network, paths into it and commands about it, and imports from `shared`."""
    text = re.sub(rf"^(\s*(?:from|import)\s+){old}(?=[.\s])", rf"\g<1>{new}", text, flags=re.MULTILINE)
    text = re.sub(rf"(?<![\w/.]){old}(?=/)|(?<=manage\.py ){old}\b", new, text)
    return _SHARED.sub(rf"\g<1>{new}.\2.shared_\3", text)


def _root() -> Path:
    """Return the folder of the examples: inside the installed package, or beside `src` in a checkout."""
    package = Path(errors.__file__).parent
    places = (package / "examples", package.parent.parent / "examples")
    for place in places:
        if any(place.glob("*/*/config.py")):
            return place
    raise ProjectError(
        "the examples are not installed",
        where=str(places[0]),
        expected="the folder that the wheel of fission has",
        hint="Install fission again",
    )


def _summary(package: Path) -> str:
    docstring = ast.get_docstring(ast.parse(package.read_text(encoding="utf-8")))
    return (docstring or "").partition("\n")[0]
