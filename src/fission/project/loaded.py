"""A network that came from files, and draws itself in notebooks."""

from fission.core.network import Network
from fission.errors import ProjectError

__all__ = ["LoadedNetwork"]


class LoadedNetwork(Network):
    """A `Network` that a notebook shows as a picture where the program `dot` is installed, else as text."""

    def _repr_svg_(self) -> str | None:
        """Return the picture that notebooks show; None where it cannot be drawn."""
        from fission.project.formats.picture import render  # noqa: PLC0415 - only notebooks need it

        try:
            return render(self, "svg").decode()
        except ProjectError:
            return None
