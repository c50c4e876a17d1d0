"""A network from its folder, at the path that the users of the seed know."""

from fission.core.network import Network
from fission.project.load import load_network

__all__ = ["Network", "load_network"]
