"""The words users write networks with: jobs, pipes, heads, nodes, networks. Pure."""
