"""Networks from files that are not Python, at the path that the users of the seed know."""

from fission.project.xml import XMLLoader

__all__ = ["XMLLoader"]
