"""Finds functions whose `return` was forgotten, by the syntax tree of the user's source."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType
from typing import Any

__all__ = ["gives_nothing"]


def gives_nothing(method: Callable[..., Any]) -> bool:
    """Whether no path of a function returns or yields a value.

    `return None` and `yield None` are values, as they are written on purpose. False for what cannot be read: a lambda, an
    object that is called, a function without source; for a function whose last statement ends the job or never completes;
    and for our own functions.
    """
    function = method.__func__ if isinstance(method, MethodType) else method
    definition = _definition(function)
    if definition is None or _ends_the_job(definition.body[-1]):
        return False
    nodes = list(_own_nodes(definition))
    yields = [node.value for node in nodes if isinstance(node, ast.Yield | ast.YieldFrom)]
    given = yields or [node.value for node in nodes if isinstance(node, ast.Return)]
    return not any(value is not None for value in given)


def _definition(function: object) -> ast.FunctionDef | None:
    """The `def` of a function; None when it cannot be read, or is something else."""
    if not isinstance(function, FunctionType) or f"{function.__module__}.".startswith("fission."):
        return None
    try:
        # of the code, not of the function: getsource would look through functools.wraps
        source = textwrap.dedent(inspect.getsource(function.__code__))
        (statement,) = ast.parse(source).body
    except (OSError, TypeError, ValueError, SyntaxError, IndexError):
        return None
    return statement if isinstance(statement, ast.FunctionDef) else None


def _ends_the_job(last: ast.stmt) -> bool:
    """Whether a statement raises, loops for ever, or calls a function that ends the job or its process."""
    match last:
        case ast.Raise():
            return True
        case ast.While(test=ast.Constant(value=value)):
            return bool(value) and not any(isinstance(node, ast.Break) for node in ast.walk(last))
        case ast.Expr(value=ast.Call(func=function)):
            return ast.unparse(function) in _ENDING_CALLS
    return False


_ENDING_CALLS = ("self.finish", "sys.exit", "exit", "quit", "os._exit", "os.abort")


def _own_nodes(definition: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function's body, without those of functions, lambdas and classes inside."""
    open_nodes: list[ast.AST] = list(definition.body)
    for node in open_nodes:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            open_nodes.extend(ast.iter_child_nodes(node))
