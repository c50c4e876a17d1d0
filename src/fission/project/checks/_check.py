"""The form of a check: a rule with an id, and a function that finds its violations in a network."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from fission.core.network import Network, Problem


class Finding(NamedTuple):
    """One violation of a rule. The message continues `where`: "job A 1: has no run"."""

    where: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the reference page; its id begins with E for an error and W for a warning."""

    id: str
    title: str

    @property
    def level(self) -> Literal["error", "warning"]:
        """An error prevents a start, a warning does not."""
        return "error" if self.id.startswith("E") else "warning"


@dataclass(frozen=True, slots=True)
class Check:
    """A rule and the function that finds its violations."""

    rule: Rule
    find: Callable[[Network], Iterable[Finding]]

    def problems(self, network: Network) -> Iterator[Problem]:
        """Yield the violations of the rule in a network."""
        for where, message, hint in self.find(network):
            yield Problem(self.rule.id, self.rule.level, where, message, hint)


def check(id: str, title: str) -> Callable[[Callable[[Network], Iterable[Finding]]], Check]:
    """Decorate a function that finds violations as a Check."""
    return lambda find: Check(Rule(id, title), find)
