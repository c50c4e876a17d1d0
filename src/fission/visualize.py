"""The functions that draw networks, under the path that user code imports."""

from fission.project.formats.picture import render, to_dot, to_mermaid

__all__ = ["render", "to_dot", "to_mermaid"]
