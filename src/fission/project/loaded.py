"""A network that was loaded from files, with a picture for notebooks."""

from fission.core.network import Network
from fission.errors import ProjectError

__all__ = ["LoadedNetwork"]


class LoadedNetwork(Network):
    """A `Network` that notebooks show as a picture if the program `dot` is installed, else as text."""

    def _repr_svg_(self) -> str | None:
        """Return the picture for notebooks; None if it cannot be drawn."""
        from fission.project.formats.picture import render  # noqa: PLC0415 - only notebooks need it

        try:
            return render(self, "svg").decode()
        except ProjectError:
            return None
