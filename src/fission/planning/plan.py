"""A plan: an embedding with its problem, and what one does with it."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from fission.planning.document import embedding_to
from fission.planning.files import write_text
from fission.planning.model import Embedding, Problem

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
