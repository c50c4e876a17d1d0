"""How many examples properties try: few in `make test`, all in `make test-all`."""

from hypothesis import HealthCheck, settings

THOROUGH = 200
"""Examples of a property that names no number, with the profile `thorough`."""


def register_profiles() -> None:
    """Register the profiles `quick`, which is loaded, and `thorough`.

    Machines that run tests are busy, so the duration of an example says nothing.
    """
    calm = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
    settings.register_profile("quick", max_examples=THOROUGH // 4, **calm)
    settings.register_profile("thorough", max_examples=THOROUGH, **calm)
    settings.load_profile("quick")


def effort(examples: int) -> int:
    """Return the examples to try with the current profile; `examples` are those with the profile `thorough`."""
    return max(1, examples * settings.default.max_examples // THOROUGH)
