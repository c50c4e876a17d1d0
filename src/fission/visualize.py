"""Pictures of networks, at the path that the users of the seed know."""

from fission.project.picture import render, to_dot, to_mermaid

__all__ = ["render", "to_dot", "to_mermaid"]
