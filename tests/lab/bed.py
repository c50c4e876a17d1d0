"""The lab: a client and nodes on one bridge, and certificates for all of them."""

from pathlib import Path
from types import TracebackType
from typing import Self

from fission.security.ephemeral import ephemeral_authority
from lab import names
from lab.host import Host
from lab.shell import LabError, system

_BRIDGE = "bridge"
_MASK = 24


class Lab:
    """A context manager. On exit every process, namespace and link is gone, whatever has happened.

    `folder` must not be there yet: it gets one folder per host, and `certs` in the layout of `fission certs`. The
    addresses exist in the namespaces only, so any number of labs can be there at the same time.
    """

    def __init__(self, folder: Path, nodes: int = 4) -> None:
        names.sweep()
        self.folder = folder
        self._prefix = names.fresh_prefix()
        self._switch = f"{self._prefix}switch"
        folder.mkdir(parents=True)
        wanted = {"client": "10.77.0.1"} | {f"n{n}": f"10.77.0.{10 + n}" for n in range(1, nodes + 1)}
        authority = ephemeral_authority(folder / "certs", list(wanted.values())[1:])
        self.certs = folder / "certs"
        self.hosts: dict[str, Host] = {}
        for name, address in wanted.items():
            certs = authority.client if name == "client" else authority.node(address)
            self.hosts[name] = Host(
                name,
                address,
                space=f"{self._prefix}{name}",
                switch=self._switch,
                folder=folder / name,
                certs=certs,
            )

    @property
    def client(self) -> Host:
        """The host of the client."""
        return self.hosts["client"]

    @property
    def nodes(self) -> list[Host]:
        """The other hosts."""
        return [host for name, host in self.hosts.items() if name != "client"]

    def node(self, address: str) -> Host:
        """Return the host with this address."""
        return next(host for host in self.hosts.values() if host.address == address)

    def start_nodes(self, *, slots: int = 4) -> None:
        """Start `fission-node` on every node, side by side, and wait until all of them listen."""
        for node in self.nodes:
            node.launch_node(slots=slots)
        for node in self.nodes:
            node.await_node()

    def __enter__(self) -> Self:
        try:
            names.make(self._switch)
            system("ip", "-n", self._switch, "link", "add", _BRIDGE, "type", "bridge")
            system("ip", "-n", self._switch, "link", "set", _BRIDGE, "up")
            for host in self.hosts.values():
                host.plug_in(_BRIDGE, _MASK)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove everything. Raises LabError at the end when something could not be removed."""
        failures = []
        for host in self.hosts.values():
            try:
                host.remove()
            except (LabError, OSError) as error:
                failures.append(f"{host.name}: {error}")
        try:
            names.remove(self._switch)
        except LabError as error:
            failures.append(str(error))
        if failures:
            raise LabError(f"the lab could not be removed: {'; '.join(failures)}")
