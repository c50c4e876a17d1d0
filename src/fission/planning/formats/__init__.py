"""Formats of problems beside JSON: graphs of networkx, GraphML, XML, MARVELO's CSV. Each becomes plain data for `document`."""
