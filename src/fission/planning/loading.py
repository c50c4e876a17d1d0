"""Loads problems and plans from files."""

import json
from pathlib import Path
from typing import Any

from fission.planning.document import embedding_from, problem_from
from fission.planning.files import read_text
from fission.planning.model import Embedding, EmbeddingError, Problem

__all__ = ["load", "load_all", "load_plan"]


def load(path: str | Path, instance: str | None = None) -> Problem:
    """Return the problem in a file; of a file with several, the one with the name `instance`.

    Raises EmbeddingError, which names the file, the field and what was expected.
    """
    problems = load_all(path)
    if instance is None:
        if len(problems) == 1:
            return problems[0]
        raise EmbeddingError(
            f"it has {len(problems)} instances",
            where=str(path),
            expected="the name of one",
            hint=_some(problems),
        )
    for problem in problems:
        if problem.name == instance:
            return problem
    raise EmbeddingError(f"it has no instance {instance!r}", where=str(path), hint=_some(problems))


def load_all(path: str | Path) -> list[Problem]:
    """Return all problems in a file. Raises EmbeddingError as `load`."""
    document = _json(path)
    if isinstance(document, dict) and isinstance(document.get("instances"), list):
        instances = document["instances"]
        if not instances:
            raise EmbeddingError("the list is empty", where=f"{path}, instances", expected="at least one")
        return [_placed(problem_from, one, f"{path}, instances[{n}]") for n, one in enumerate(instances)]
    return [_placed(problem_from, document, str(path))]


def load_plan(path: str | Path) -> Embedding:
    """Return the embedding in a file that `Plan.save` or `fission plan -o` has written. Raises EmbeddingError."""
    found: Embedding = _placed(embedding_from, _json(path), str(path))
    return found


def _placed(build: Any, document: object, where: str) -> Any:
    try:
        return build(document)
    except EmbeddingError as error:
        error.where = f"{where}, {error.where}" if error.where else where
        raise


def _json(path: str | Path) -> object:
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise EmbeddingError(f"it is no JSON: {error.msg}", where=where) from error
    except RecursionError as error:
        raise EmbeddingError("it is nested too deeply", where=str(path)) from error


def _some(problems: list[Problem]) -> str:
    names = [problem.name or "(without a name)" for problem in problems]
    return f"There are {', '.join(names[:6])}{', ...' * (len(names) > 6)}"
