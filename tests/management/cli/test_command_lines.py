"""What is typed wrong gets one line and exit code 2; what is typed right has help."""

from pathlib import Path

import pytest

from fission.management.cli import options
from fission.management.cli.apps import ADMIN_VERBS, FISSION_VERBS, PROJECT_VERBS
from kits.command_line import Result, Run


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (
            "manage.py demo simulat",
            "unknown command 'simulat'. Did you mean 'simulate'? The commands are startnetwork",
        ),
        (
            "manage.py demo walrus",
            "unknown command 'walrus'. The commands are startnetwork, simulate, run, attach",
        ),
        (
            "manage.py demo",
            "the command is missing: python3 manage.py demo COMMAND. The commands are startnetwork, simulate",
        ),
        ("manage.py simulate demo", "the network comes first. Did you mean: python3 manage.py demo simulate"),
        ("manage.py simulate demo --for 1s", "Did you mean: python3 manage.py demo simulate --for 1s"),
        ("manage.py dmeo simulate", "network 'dmeo': there is no such network; expected a folder in "),
        ("manage.py shared simulate", "network 'shared': it holds what networks share"),
        ("fission simulate dmeo", "Did you mean 'demo'?"),
        (
            "fission sim demo",
            "unknown command 'sim'. Did you mean 'simulate'? The commands are new, simulate, run",
        ),
        (
            "fission new projct x",
            "unknown command 'projct'. Did you mean 'project'? The commands are project and network",
        ),
        ("fission check demo --project no", "--project no: there is no such folder"),
    ],
)
def test_mistakes(root: Path, run: Run, command: str, text: str) -> None:
    result = run(*command.split())
    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith("error: ")
    assert text in result.err


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("fission simulate", "Missing argument"),
        ("fission simulate demo --walrus", "No such option: --walrus"),
        ("fission simulate demo --for soon", "expected a time like 10s, 500ms, 2m or 1h30m, found 'soon'"),
        ("manage.py demo simulate --for 0s", "expected a time like"),
        ("manage.py demo check more", "unexpected extra argument"),
    ],
)
def test_wrong_options(root: Path, run: Run, command: str, text: str) -> None:
    result = run(*command.split())
    assert (result.code, result.out) == (2, "")
    assert text.lower() in result.err.lower()
    assert "Usage: " in result.err


def test_the_help_of_fission(run: Run) -> None:
    result = run("fission", "--help")
    assert result.code == 0
    commands = [line.split()[0] for line in result.out.partition("Commands:")[2].strip().splitlines()]
    assert commands == ["new", *FISSION_VERBS]
    assert "fission new project greenhouse" in result.out
    assert "--install-completion" in result.out


@pytest.mark.parametrize("command", ["fission", "manage.py", "fission_admin.py", "fission new --help"])
def test_without_arguments_there_is_help(run: Run, command: str) -> None:
    result = run(*command.split())
    assert "Usage: " in result.out + result.err
    assert "Commands:" in result.out + result.err


@pytest.mark.parametrize("verb", FISSION_VERBS)
def test_every_command_has_help_with_an_example(run: Run, verb: str) -> None:
    result = run("fission", verb, "-h")
    assert result.code == 0
    assert "Usage: fission " + verb in result.out
    assert f"    fission {verb} " in result.out
    assert "--debug" in result.out


@pytest.mark.parametrize("verb", PROJECT_VERBS)
def test_the_help_of_manage_py_shows_its_own_form(run: Run, verb: str) -> None:
    result = run("manage.py", "demo", verb, "--help")
    assert result.code == 0
    assert f"Usage: python3 manage.py {{NETWORK}} {verb} [OPTIONS]" in result.out
    assert f"    python3 manage.py demo {verb}" in result.out or verb == "show"
    assert "fission " not in result.out
    assert "--project" not in result.out


def test_the_help_of_the_seeds_programs(run: Run) -> None:
    for program, known in (("manage.py", PROJECT_VERBS), ("fission_admin.py", ADMIN_VERBS)):
        result = run(program, "--help")
        assert result.code == 0
        commands = [line.split()[0] for line in result.out.partition("Commands:")[2].strip().splitlines()]
        assert commands == list(known)


def test_the_version(run: Run) -> None:
    assert run("fission", "--version").out.startswith("fission 0.")


def test_networks_are_completed(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert options._complete_networks("d") == ["demo"]
    assert options._complete_networks("x") == []
    monkeypatch.chdir(tmp_path)
    assert options._complete_networks("d") == []


def test_the_shell_completes_commands_and_networks(
    root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def complete(words: str) -> Result:
        monkeypatch.setenv("_FISSION_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
        return run("fission")

    assert complete("fission sim").out.split() == ["simulate"]
    assert complete("fission simulate d").out.split() == ["demo"]
