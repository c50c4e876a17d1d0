"""A hook of MkDocs: makes a page of every notebook in `examples/notebooks`.

The pages show the cells as they stand in git, without outputs: text as text, code as Python. A link leads to the notebook
itself, which the site has beside its page.
"""

import json
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

NOTEBOOKS = Path(__file__).parents[1] / "examples/notebooks"
FOLDER = "notebooks"


def on_files(files: Files, config: Any, **_kwargs: Any) -> Files:
    """Add the pages and the notebooks to the files of the site; called by MkDocs."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        text = path.read_text(encoding="utf-8")
        page = to_markdown(json.loads(text), path.name)
        files.append(File.generated(config, f"{FOLDER}/{path.stem}.md", content=page))
        files.append(File.generated(config, f"{FOLDER}/{path.name}", content=text))
    return files


def to_markdown(notebook: dict[str, Any], name: str) -> str:
    """Return the page of a notebook. Raises ValueError for a cell that is neither text nor code."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code":
            parts.append(f"```python\n{source}\n```")
        else:
            raise ValueError(f"{name}: a cell of an unknown kind: {cell['cell_type']}")
    title, *rest = parts
    return "\n\n".join([title, f"The notebook: [`{name}`]({name}).", *rest]) + "\n"
