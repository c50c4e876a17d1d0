"""The loaders of files that describe nodes and networks (CSV, XML), under the path that user code imports."""

from fission.project.nodes import CSVLoader
from fission.project.xml import XMLLoader

__all__ = ["CSVLoader", "XMLLoader"]
