"""The embedding problem of wireless networks: where blocks run, which hops their data take, in which slots nodes send.

```python
from fission.plan import check, load, solve

problem = load("field.json")
plan = solve(problem, seconds=1.0)
print(plan.slots, plan.bound, plan.optimal)
assert not check(problem, plan)
```
"""

from fission.planning.checker import check
from fission.planning.generate import Recipe, generate
from fission.planning.loading import from_networkx, load, load_all, load_plan
from fission.planning.model import (
    Block,
    Embedding,
    EmbeddingError,
    Node,
    Problem,
    Radio,
    Transmission,
    Violation,
)
from fission.planning.plan import Plan
from fission.planning.solving import METHODS, solve

__all__ = [
    "METHODS",
    "Block",
    "Embedding",
    "EmbeddingError",
    "Node",
    "Plan",
    "Problem",
    "Radio",
    "Recipe",
    "Transmission",
    "Violation",
    "check",
    "from_networkx",
    "generate",
    "load",
    "load_all",
    "load_plan",
    "solve",
]
