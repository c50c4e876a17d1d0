"""Networks from Python: `simulate` and `run` return handles to running networks.

The parts are imported on first use: the process of a job that sends blocks to a handle needs only `block_sender`.
"""

TYPE_CHECKING = False  # as in typing, which takes longer to import than all of this package

if TYPE_CHECKING:
    from fission.api.async_handle import AsyncHandle
    from fission.api.base import Result
    from fission.api.events import Event
    from fission.api.handle import Handle
    from fission.api.launch import run, simulate
    from fission.api.streams import BlockStream

__all__ = ["AsyncHandle", "BlockStream", "Event", "Handle", "Result", "run", "simulate"]

_WHERE = {
    "async_handle": ("AsyncHandle",),
    "events": ("Event",),
    "base": ("Result",),
    "handle": ("Handle",),
    "launch": ("run", "simulate"),
    "streams": ("BlockStream",),
}


def __getattr__(name: str) -> object:
    from importlib import import_module  # noqa: PLC0415 - only where one of these is used

    for module, names in _WHERE.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
