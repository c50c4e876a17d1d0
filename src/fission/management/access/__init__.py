"""Access to what a command works on: the project, the network, the running client, the nodes."""
