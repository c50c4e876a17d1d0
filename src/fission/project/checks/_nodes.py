"""Rules about nodes and groups."""

from collections.abc import Iterator

from fission.core.groups import ALL, LOCAL, names
from fission.core.jobs import BaseJob
from fission.core.network import Network
from fission.core.nodes import BaseNode, MultiNode
from fission.project.addresses import is_address, is_pattern
from fission.project.checks._check import Finding, check
from fission.project.settings import describe
from fission.project.suggest import did_you_mean, listed


def _groups(job: BaseJob) -> tuple[str, ...] | None:
    """Return the names in GROUPS of a job, or None for an invalid value."""
    groups: object = job.GROUPS
    if isinstance(groups, str):
        return (groups,) if groups else None
    if isinstance(groups, list | tuple) and all(isinstance(name, str) and name for name in groups):
        return names(groups)
    return None


def _known(network: Network) -> set[str]:
    return {ALL, LOCAL}.union(*(node.groups for node in network.nodes))


def _unknown(network: Network) -> Iterator[tuple[BaseJob, list[str], int]]:
    """Yield jobs with groups that no node is in: these groups, and the number of all groups of the job."""
    known = _known(network)
    for job in network.jobs:
        groups = _groups(job) or ()
        unknown = [group for group in groups if group not in known]
        if unknown:
            yield job, unknown, len(groups)


def _hint(network: Network, unknown: list[str]) -> str:
    known = sorted(_known(network))
    return did_you_mean(unknown[0], known) or f"The nodes have {listed(known)}"


@check("E401", "no node is in any group of a job")
def _no_node(network: Network) -> Iterator[Finding]:
    for job, unknown, every in _unknown(network):
        if network.nodes and len(unknown) == every:
            text = f"no node is in {_group(unknown)}, so none may run it"
            yield Finding(job.name, text, _hint(network, unknown))


@check("W401", "no node is in a group of a job")
def _unknown_group(network: Network) -> Iterator[Finding]:
    for job, unknown, every in _unknown(network):
        if not network.nodes:
            text = f"no node is in {_group(unknown)}: NODES is empty, which is enough to simulate"
            yield Finding(job.name, text)
        elif len(unknown) < every:
            yield Finding(job.name, f"no node is in {_group(unknown)}", _hint(network, unknown))


def _group(unknown: list[str]) -> str:
    return f"{'group' if len(unknown) == 1 else 'groups'} {listed(map(repr, unknown))}"


@check("E402", "GROUPS of a job is neither a group nor a list of groups")
def _groups_type(network: Network) -> Iterator[Finding]:
    for job in network.jobs:
        if _groups(job) is None:
            text = f"GROUPS: expected the name of a group or a list of them, found {describe(job.GROUPS)}"
            yield Finding(job.name, text)


@check("E403", "a job has no groups and no DEFAULT_NODE")
def _nowhere(network: Network) -> Iterator[Finding]:
    for job in network.jobs:
        if _groups(job) == () and job.DEFAULT_NODE is None:
            yield Finding(
                job.name,
                "GROUPS is empty and there is no DEFAULT_NODE, so no node may run it",
                'Set DEFAULT_NODE = "192.168.4.2", or GROUPS = "ALL"',
            )


@check("E404", "DEFAULT_NODE of a job is not an address")
def _default_node(network: Network) -> Iterator[Finding]:
    for job in network.jobs:
        node: object = job.DEFAULT_NODE
        if node is not None and not (isinstance(node, str) and is_address(node)):
            yield Finding(job.name, f"DEFAULT_NODE: expected an address or None, found {describe(node)}")


@check("W404", "DEFAULT_NODE of a job is not in NODES")
def _strange_default(network: Network) -> Iterator[Finding]:
    for job in network.jobs:
        node = job.DEFAULT_NODE
        if isinstance(node, str) and network.nodes and not any(one.matches(node) for one in network.nodes):
            addresses = [one.ip for one in network.nodes]
            hint = did_you_mean(node, addresses) or f"There are {listed(addresses)}"
            yield Finding(job.name, f"DEFAULT_NODE {node} is not in NODES", hint)


@check("E405", "the address of a node is not valid")
def _address(network: Network) -> Iterator[Finding]:
    for node in network.nodes:
        pattern = isinstance(node, MultiNode)
        if not (is_pattern(node.ip) if pattern else is_address(node.ip)):
            expected = "a pattern such as 192.168.4.*" if pattern else "an IP address or a host name"
            yield Finding(_where(node), f"expected {expected}, found {node.ip!r}", _address_hint(node))


def _where(node: BaseNode) -> str:
    return f"node {node.name}"


def _address_hint(node: BaseNode) -> str:
    if not isinstance(node, MultiNode) and is_pattern(node.ip):
        return f'A pattern needs a MultiNode: MultiNode("{node.ip}")'
    address, _, port = node.ip.rpartition(":")
    return "Only the address, without a port" if port.isdecimal() and is_address(address) else ""


NODE_CHECKS = (
    _no_node,
    _unknown_group,
    _groups_type,
    _nowhere,
    _default_node,
    _strange_default,
    _address,
)
