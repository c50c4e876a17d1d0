"""`fission doctor [NET]`: find out what is wrong with this machine, or with the nodes of a network."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from fission.core.network import Problem
from fission.diagnosis.findings import Finding, Level, Report
from fission.errors import ProjectError
from fission.management.access.problems import count, load_and_check
from fission.management.access.project_root import find_root
from fission.management.commands.doctor.network import NetworkFindings, Say, check_network
from fission.management.commands.doctor.output import show_report
from fission.management.commands.doctor.this_machine import check_certificates, check_machine, check_node_port
from fission.management.console.tables import new_console

OK, FAILED = 0, 1
FORMAT = 1
"""Version of the JSON form: the same as long as programs that read it need no change."""


def doctor_command(project: Path | None, name: str | None, *, as_json: bool) -> int:
    """Print what was found; return 1 if a check has failed. Raises UserError for what cannot be checked."""
    begin = time.monotonic()
    with _progress(shown=not as_json) as say, redirect_stdout(sys.stderr):  # user code may print
        found = _here(project, say) if name is None else _network(find_root(project), name, say)
    report = Report(found.findings)
    if as_json:
        head = {"format": FORMAT, "network": name, "seconds": round(time.monotonic() - begin, 3)}
        print(json.dumps({**head, **report.plain(), "names": found.names}, indent=2))
    else:
        show_report(report, found.names, new_console(), details=name is None)
    return OK if report.ok else FAILED


def _here(project: Path | None, say: Say) -> NetworkFindings:
    """Check this machine, with the certificates of the project, or of the working directory outside of projects."""
    say("looking at this machine")
    try:
        root = find_root(project)
    except ProjectError:
        if project is not None:
            raise
        root = Path.cwd()
    return NetworkFindings(
        [*check_machine(root, extras=True), *check_node_port(), *check_certificates(root)], {}
    )


def _network(root: Path, name: str, say: Say) -> NetworkFindings:
    network, problems = load_and_check(root, name)
    found = asyncio.run(check_network(network, root, say))
    config = _config(name, problems)
    return NetworkFindings([config, *found.findings, *check_machine(root, extras=False)], found.names)


def _config(name: str, problems: Sequence[Problem]) -> Finding:
    text = f"config.py: {count(problems)}"
    if any(problem.level == "error" for problem in problems):
        return Finding(Level.ERROR, "config.check", "", text, f"`fission check {name}` shows them")
    return Finding(Level.OK, "config.check", "", text)


@contextmanager
def _progress(*, shown: bool) -> Iterator[Say]:
    """Show what is being done on a terminal, in one line that vanishes."""
    console = new_console(stderr=True)
    if not shown or not console.is_terminal or os.environ.get("TERM") == "dumb":
        yield lambda _text: None
        return
    with console.status("") as status:
        yield status.update
