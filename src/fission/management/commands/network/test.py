"""`test`: run the tests of a network."""

from importlib.util import find_spec
from pathlib import Path

from fission.errors import ProjectError, UserError
from fission.project.load import find_network

_PLUGIN = "fission.testing.plugin"


def test_network(root: Path, name: str, arguments: list[str]) -> int:
    """Run `<network>/tests` with pytest and the further `arguments`; return the exit code of pytest.

    Arguments that name tests (`demo/tests/test_sum.py::test_two`) replace the whole folder. Raises ProjectError when
    there is no such network or it has no tests, UserError without pytest.
    """
    root = root.resolve()
    tests = find_network(root, name) / "tests"
    if not tests.is_dir():
        raise ProjectError(
            "the network has no tests",
            where=f"network {name!r}",
            expected=f"a folder {tests}",
            hint="Write functions test_... in files test_....py there",
        )
    if find_spec("pytest") is None:
        raise UserError("pytest is not installed", where="test", hint="Install it: pip install pytest")
    import pytest  # noqa: PLC0415 - only this command needs it

    chosen = [argument for argument in arguments if _lies_in(tests, argument)]
    options = ["-p", _PLUGIN, f"--rootdir={root}"]
    return int(pytest.main([*options, *arguments, *([] if chosen else [str(tests)])]))


test_network.__test__ = False  # type: ignore[attr-defined]  # pytest would collect it because of its name


def _lies_in(tests: Path, argument: str) -> bool:
    """Whether an argument for pytest names tests of this network."""
    path = Path(argument.partition("::")[0])
    return not argument.startswith("-") and path.exists() and path.resolve().is_relative_to(tests)
