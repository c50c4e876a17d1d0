"""The loaders of files that describe nodes and networks (CSV, XML), under the path that user code imports."""

from fission.project.formats.xml import XMLLoader
from fission.project.nodes import CSVLoader

__all__ = ["CSVLoader", "XMLLoader"]
