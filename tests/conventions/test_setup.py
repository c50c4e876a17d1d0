"""The set-up of `make`: a line per step, and the error of the step that fails."""

import re
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "setup.sh"
NEEDED = re.findall(r"^need (\S+) ", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)

PYTHON = """\
#!/bin/sh
case "$*" in
-c*) exit 0;;
*) echo "a line of progress"; echo "no space left on device" >&2; exit 7;;
esac
"""


def test_a_step_that_fails_shows_its_output(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in NEEDED:  # nothing is missing: no package is installed
        (programs / name).symlink_to("/bin/true")
    (programs / "python3").write_text(PYTHON)
    (programs / "python3").chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", SCRIPT, tmp_path / "venv"],
        env={"PATH": f"{programs}:/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == f"virtual environment in {tmp_path / 'venv'} ... failed\n"
    assert done.stderr.splitlines() == ["    a line of progress", "    no space left on device"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin"]
