"""`plan`: solve, check and generate problems of wireless embedding."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from fission.errors import UserError
from fission.management.access.output_files import write_output
from fission.plan import Plan, Problem, Recipe, check, generate, load, load_plan, solve
from fission.planning.document import problem_to

__all__ = ["PlanOptions", "check_command", "generate_command", "plan_command"]

_MAX_LINES = 40
"""Violations that are printed."""


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """Arguments and options that the forms of the command share."""

    file: Path | None
    plan: Path | None
    instance: str | None
    method: str
    seconds: float | None
    seed: int
    output: Path | None
    map: Path | None
    slots: Path | None


def plan_command(options: PlanOptions) -> int:
    """Solve the problem in a file, print the plan and write the files that are asked for."""
    if options.plan is not None:
        raise UserError("PLAN is for --check", where=str(options.plan), hint="Write a plan with -o")
    problem = load(_file(options), options.instance)
    plan = solve(problem, options.method, options.seconds, options.seed)
    for line in _described(problem, plan):
        print(line)
    if options.output is not None:
        plan.save(options.output)
        print(f"Wrote the plan into {options.output}")
    if options.map is not None:
        plan.draw_map(options.map)
        print(f"Drew the map into {options.map}")
    if options.slots is not None:
        plan.draw_slots(options.slots)
        print(f"Drew the slots into {options.slots}")
    return 0


def check_command(options: PlanOptions) -> int:
    """Check a plan against its problem: exit code 1 if it breaks a rule."""
    if options.plan is None:
        raise UserError("--check needs two files", expected="fission plan --check FILE PLAN")
    problem = load(_file(options), options.instance)
    plan = load_plan(options.plan)
    violations = check(problem, plan)
    for violation in violations[:_MAX_LINES]:
        print(violation)
    if violations:
        print(f"{options.plan}: {len(violations)} violations")
        return 1
    print(f"{options.plan}: valid, {_slots(plan.slots)}")
    return 0


def generate_command(recipe: Recipe, options: PlanOptions) -> int:
    """Make a problem and write it, to stdout if there is no file for it."""
    if options.file is not None:
        raise UserError("--generate reads no file", where=str(options.file), hint="Name the new file with -o")
    problem = generate(recipe, Random(options.seed), f"seed {options.seed}")  # noqa: S311 - no secret
    text = json.dumps(problem_to(problem), indent=1) + "\n"
    if options.output is None:
        sys.stdout.write(text)
    else:
        write_output(options.output, text.encode(), "the problem")
        print(f"Wrote a problem with {recipe.nodes} nodes and {recipe.blocks} blocks into {options.output}")
    return 0


def _file(options: PlanOptions) -> Path:
    if options.file is None:
        raise UserError("the file is missing", expected="fission plan FILE, or fission plan --generate")
    return options.file


def _described(problem: Problem, plan: Plan) -> Iterator[str]:
    verdict = "optimal" if plan.optimal else f"bound {plan.bound}, gap {plan.slots - plan.bound}"
    yield f"{problem.name or 'problem'}: {_slots(plan.slots)}, {verdict} ({plan.method}, {plan.seconds:.3g} s)"
    hosts = {
        node.name: [b for b, host in plan.placement.items() if host == node.name] for node in problem.nodes
    }
    yield "Placement:"
    for node, blocks in hosts.items():
        if blocks:
            yield f"  {node}: {', '.join(blocks)}"
    for number, slot in enumerate(plan.schedule, 1):
        yield f"Slot {number}:"
        for sent in slot:
            yield f"  {sent.sender} -> {', '.join(sent.receivers)}: data of {sent.block}"


def _slots(count: int) -> str:
    return f"{count} slot{'s' * (count != 1)}"
