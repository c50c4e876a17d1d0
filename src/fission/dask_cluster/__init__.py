"""Nodes beside the workers of a Dask cluster (extra `dask`)."""
