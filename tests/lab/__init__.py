"""Real hosts for tests: a client and some nodes as network namespaces of this machine, joined by a bridge.

```python
with Lab(folder) as lab:
    lab.nodes[0].start_node()
    lab.client.run(["fission", "run", "net"])
    lab.nodes[0].link_down()
```

needs root and the packages iproute2 and nftables; `unavailable()` says what is missing. Processes, addresses and links
are those of the host; files, users and clocks are shared with the machine.
"""

from lab.bed import Lab
from lab.host import Host, Running
from lab.shell import LabError, unavailable, wait_for
from lab.stream import Stream, job_processes, jobs_among

__all__ = [
    "Host",
    "Lab",
    "LabError",
    "Running",
    "Stream",
    "job_processes",
    "jobs_among",
    "unavailable",
    "wait_for",
]
