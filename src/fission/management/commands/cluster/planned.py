"""`run --plan`: place the jobs as a plan of `fission plan` says."""

from pathlib import Path

from fission.core.groups import LOCAL, names
from fission.core.network import Network
from fission.errors import UserError
from fission.plan import load_plan
from fission.project.suggest import did_you_mean

__all__ = ["place_as_planned"]


def place_as_planned(network: Network, path: Path, *, embedded: bool = False) -> None:
    """Set DEFAULT_NODE of each job that the plan in the file has as a block, by the job's name.

    A job whose planned node is down runs elsewhere, as with any DEFAULT_NODE. Raises UserError for blocks that are no jobs,
    for nodes that are not in NODES (which is not checked for `embedded` nodes), and for jobs that run on the client only.
    """
    plan = load_plan(path)
    jobs = {job.name: job for job in network.jobs}
    for block, node in plan.placement.items():
        where = f"{path}, placement of {block}"
        if block not in jobs:
            raise UserError(
                f"the network {network.name} has no such job",
                where=where,
                expected="names of jobs as blocks",
                hint=did_you_mean(block, jobs),
            )
        if names(jobs[block].GROUPS) == (LOCAL,):
            if node != LOCAL:
                raise UserError(
                    f"the job runs on the client only, not on {node}", where=where, expected=LOCAL
                )
            continue
        known = node == LOCAL or any(one.matches(node) or one.name == node for one in network.nodes)
        if not known and not embedded:
            listed = [one.name or one.ip for one in network.nodes]
            raise UserError(
                f"{node} is not in NODES",
                where=where,
                expected="addresses or names of NODES as nodes",
                hint=did_you_mean(node, listed),
            )
        jobs[block].DEFAULT_NODE = node
