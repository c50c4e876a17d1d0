"""`load_network`, under the path that user code imports."""

from fission.core.network import Network
from fission.project.load import load_network

__all__ = ["Network", "load_network"]
