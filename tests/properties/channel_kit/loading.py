"""The channel under test: the real one, or a copy with one line changed."""

import itertools
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

MODULES = (
    "ranges",
    "retained",
    "windows",
    "lossy_windows",
    "machine",
    "sender",
    "receiver",
    "join",
    "ledger",
)
_copies = itertools.count()


@dataclass(frozen=True)
class Mutant:
    """One rule of the channel, broken: in `module`, `old` (which must occur exactly once) becomes `new`."""

    name: str
    module: str
    old: str
    new: str


def load(mutant: Mutant | None = None) -> SimpleNamespace:
    """Return the names of the channel, taken from a fresh copy of its modules in which the mutant is at work."""
    package = f"channel_copy_{next(_copies)}"
    names: dict[str, object] = {}
    for name in MODULES:
        spec = find_spec(f"fission.channel.{name}")
        assert spec is not None
        assert spec.origin is not None
        text = Path(spec.origin).read_text()
        if mutant is not None and mutant.module == name:
            count = text.count(mutant.old)
            assert count == 1, f"{mutant.name}: {mutant.old!r} occurs {count} times in {name}.py"
            text = text.replace(mutant.old, mutant.new)
        for other in MODULES:
            text = text.replace(f"from fission.channel.{other} import", f"from {package}.{other} import")
        module = ModuleType(f"{package}.{name}")
        sys.modules[f"{package}.{name}"] = module
        sys.modules.setdefault(package, ModuleType(package))
        exec(compile(text, f"{name}.py", "exec"), module.__dict__)
        names |= vars(module)
    return SimpleNamespace(**{name: value for name, value in names.items() if not name.startswith("__")})
