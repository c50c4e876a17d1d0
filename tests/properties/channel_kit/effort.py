"""How hard the properties try."""

from hypothesis import HealthCheck, Phase, settings


def explore(examples: int, steps: int = 50) -> settings:
    """New examples in every run. How busy the machine is does not matter."""
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def repeat(examples: int, steps: int = 50) -> settings:
    """The same few examples in every run; a failure is not made smaller."""
    return settings(
        explore(examples, steps), derandomize=True, phases=[Phase.generate], report_multiple_bugs=False
    )
