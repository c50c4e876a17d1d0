"""How a command reaches what it works on: the project, its network, the running client, the nodes."""
