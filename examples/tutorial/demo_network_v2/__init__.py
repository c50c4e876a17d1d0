"""Jobs with arguments, a class that networks share, and any number of inputs."""
