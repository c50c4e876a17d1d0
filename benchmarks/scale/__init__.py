"""The cost of many jobs and many nodes: 200 jobs on 20 nodes, and the placement of 500 jobs on 100."""
