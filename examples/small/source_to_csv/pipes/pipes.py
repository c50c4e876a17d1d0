# The pipe of this network comes with fission: see config.py.
