# Both jobs of this network come with fission: see config.py.
