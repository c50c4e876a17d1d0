"""The user's `preference`, which may choose among the nodes that are possible."""

import reprlib
from collections.abc import Sequence
from dataclasses import replace

from fission.core.jobs import BaseJob
from fission.core.nodes import NodeInfo
from fission.errors import JobDefinitionError
from fission.placement.model import NodeState
from fission.placement.result import Reason


def preferred(job: BaseJob, candidates: Sequence[tuple[NodeState, Reason]]) -> int | None:
    """Ask the job which candidate it prefers: an index into `candidates`, or None to leave it to the score.

    The job sees a NodeInfo per candidate, with the TQ to its neighbors filled in. Raises JobDefinitionError
    if its code raises (that exception is the cause) or returns something else than one of them.
    """
    if type(job).preference is BaseJob.preference:
        return None
    infos = [_info(node, reason) for node, reason in candidates]
    try:
        answer = job.preference(list(infos))
    except Exception as error:
        raise JobDefinitionError(
            f"preference() raised {type(error).__name__}: {error}",
            where=f"job {job.name!r}, {_line_of(error)}",
        ) from error
    if answer is None:
        return None
    for index, info in enumerate(infos):
        if info is answer:
            return index
    raise JobDefinitionError(
        "preference() returned something that it was not given",
        where=f"job {job.name!r}",
        expected=f"one of the {len(infos)} NodeInfos in `nodes`, or None",
        found=reprlib.repr(answer),
    )


def _info(node: NodeState, reason: Reason) -> NodeInfo:
    return node.info if reason.score is None else replace(node.info, TQ=reason.score.tq)


def _line_of(error: Exception) -> str:
    """Tell where the user's code raised: the innermost file and line."""
    place = "preference"
    step = error.__traceback__
    while step is not None:
        place = f"{step.tb_frame.f_code.co_filename}:{step.tb_lineno}"
        step = step.tb_next
    return place
