"""The files that travel with jobs: dependency folders, the user's modules, programs."""
