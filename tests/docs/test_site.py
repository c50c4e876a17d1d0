"""The site builds without a warning and can be read without a network; needs the dependency group `docs`."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .pages import DEADLINE, ROOT


@pytest.mark.skipif(importlib.util.find_spec("material") is None, reason="mkdocs-material is not installed")
@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_site(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = [page.read_text(encoding="utf-8") for page in tmp_path.rglob("*.html")]
    assert len(pages) > 15
    notebooks = sorted(path.stem for path in (ROOT / "examples/notebooks").glob("*.ipynb"))
    assert sorted(path.stem for path in (tmp_path / "notebooks").glob("*.ipynb")) == notebooks
    for name in notebooks:
        assert "fission" in (tmp_path / "notebooks" / name / "index.html").read_text(encoding="utf-8")
    assert sum("<svg " in page and 'class="diagram"' in page for page in pages) >= 3
    for page in pages:
        assert 'class="mermaid"' not in page, "a browser would fetch its script from elsewhere"
        assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(?:https?:)?//', page)
