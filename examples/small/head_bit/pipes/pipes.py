# The pipes of this network come with fission: see config.py.
