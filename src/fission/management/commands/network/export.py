"""`export`: write a network as text for other programs."""

import sys
from pathlib import Path

from fission.errors import ProjectError
from fission.management.access.output_files import write_output
from fission.management.access.problems import count, load_and_check
from fission.project.formats.export import to_graphml, to_json, to_xml
from fission.project.formats.picture import to_dot, to_mermaid
from fission.project.suggest import did_you_mean

_FORMS = {"json": to_json, "graphml": to_graphml, "xml": to_xml, "dot": to_dot, "mermaid": to_mermaid}


def export_command(root: Path, name: str, *, form: str, output: Path | None) -> int:
    """Write a network to `output`, or to stdout if it is None.

    The parts of an incomplete network are written, too. Raises ProjectError and ConfigError.
    """
    write = _FORMS.get(form)
    if write is None:
        expected = f"one of {', '.join(_FORMS)}"
        raise ProjectError("unknown format", where=form, expected=expected, hint=did_you_mean(form, _FORMS))
    network, problems = load_and_check(root, name)
    if any(problem.level == "error" for problem in problems):
        print(f"warning: {count(problems)}: fission check {network.name}", file=sys.stderr)
    text = write(network)
    if output is None:
        print(text, end="")
        return 0
    write_output(output, text.encode(), "it")
    print(f"Wrote {network.name} into {output}")
    return 0
