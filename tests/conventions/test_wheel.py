"""The wheel has the examples that `fission new network NAME --example EXAMPLE` copies."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEFT_OUT = ("examples/README.md", "examples/demo.py", "examples/ruff.toml")


def test_the_wheel_has_the_examples(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=100,
    )
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "examples"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=100)
    tracked = {
        f"fission/{path}"
        for path in listed.stdout.split()
        if path not in LEFT_OUT and Path(path).name not in (".gitkeep", ".gitignore")
    }
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        packed = set(wheel.namelist())
    assert {path for path in packed if path.startswith("fission/examples/")} == tracked
    assert not any(path.startswith("examples") for path in packed)
    assert "fission/project/templates/network/config.py-tpl" in packed
