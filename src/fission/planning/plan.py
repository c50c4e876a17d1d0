"""A plan: an embedding with its problem, and what one does with it."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fission.planning.document import embedding_to
from fission.planning.drawing.field_map import field_map
from fission.planning.drawing.slot_chart import slot_chart
from fission.planning.files import write_text
from fission.planning.model import Embedding, EmbeddingError, Problem

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan(Embedding):
    """The result of `solve`: `placement`, `schedule`, `routes`, `slots`, `bound`, `optimal`.

    `method` is what found it, `seconds` how long that took.
    """

    problem: Problem = field(kw_only=True)
    method: str = field(default="", kw_only=True)
    seconds: float = field(default=0.0, kw_only=True)

    def save(self, path: str | Path) -> None:
        """Write the plan as JSON, completely or not at all. Raises EmbeddingError."""
        write_text(path, self.to_json())

    def to_json(self) -> str:
        """Return the plan as JSON."""
        document = {"problem": self.problem.name, "method": self.method, "seconds": round(self.seconds, 6)}
        return json.dumps(document | embedding_to(self), indent=1) + "\n"

    def draw_map(self, path: str | Path) -> None:
        """Write an SVG map of the nodes, their blocks and the hops, in the color of their slot. Raises EmbeddingError."""
        write_text(path, field_map(self.problem, self))

    def draw_slots(self, path: str | Path) -> None:
        """Write an SVG chart of what each node does in each slot. Raises EmbeddingError."""
        write_text(path, slot_chart(self.problem, self))

    def to_networkx(self) -> Any:
        """Return a MultiDiGraph: the nodes with their attributes and blocks, an edge for each hop with block and slot.

        Raises EmbeddingError if networkx is not installed.
        """
        try:
            import networkx  # noqa: PLC0415 - heavy, and an extra
        except ImportError as error:
            raise EmbeddingError(
                "networkx is not installed", hint="Install it: pip install 'fission[plan]'"
            ) from error
        graph = networkx.MultiDiGraph(name=self.problem.name, slots=self.slots, bound=self.bound)
        for node in self.problem.nodes:
            blocks = [block for block, host in self.placement.items() if host == node.name]
            graph.add_node(node.name, x=node.x, y=node.y, capacity=node.capacity, blocks=", ".join(blocks))
        for number, slot in enumerate(self.schedule, 1):
            for sent in slot:
                for receiver in sent.receivers:
                    graph.add_edge(sent.sender, receiver, block=sent.block, slot=number)
        return graph
