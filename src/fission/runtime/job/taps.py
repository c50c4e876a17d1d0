"""Describes blocks that a job sends, for watchers: shape, dtype and statistics of arrays, a bounded text of other values.

A thread of its own decodes copies of encoded blocks, here in the process of the job, where its classes are, and so no other
process unpickles anything. It ends when nobody looks. What the supervisor does not take at once is dropped.
"""

import reprlib
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from fission.channel.wire.codec import codec_for
from fission.channel.wire.frames import frozen, payload_size
from fission.core.pipes import BasePipe, JSONPipe
from fission.monitor.token_bucket import TokenBucket
from fission.runtime.data.ports import OutPort
from fission.runtime.data.tap import PipeTap, TappedBlock
from fission.runtime.messages import MOST_TAP_RATE, RAW_LIMIT, TAP_TEXT, ArraySummary, Tap, TapBlock

_MOST_ELEMENTS = 1 << 18
"""Elements of an array whose statistics are computed; of larger ones evenly spaced elements are taken."""

_RAW_TEXT = 200
"""Characters of the text beside the bytes of a block."""

_LARGEST = 32 << 20
"""Bytes of the largest block that is decoded."""


class Taps:
    """`order` starts, changes and prolongs a tap of one output. `offer` sends a message, or returns False at once."""

    def __init__(self, ports: Sequence[OutPort], offer: Callable[[TapBlock], bool]) -> None:
        self._ports = {port.pipe.id: port for port in ports}
        self._offer = offer
        self._lock = threading.Lock()
        self._active: dict[int, _Active] = {}
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def order(self, order: Tap) -> None:
        """Follow an order; one for an output that this job does not have is ignored."""
        port = self._ports.get(order.pipe)
        if port is None or not order.rate > 0 or not order.size_rate > 0:
            return
        rate = min(order.rate, MOST_TAP_RATE)
        until = time.monotonic() + order.seconds
        with self._lock:
            active = self._active.get(order.pipe)
            if active is None:
                active = self._active[order.pipe] = _Active(
                    port, PipeTap(port.pipe, rate, self._wake.set), order
                )
            active.follow(order, until)
            active.tap.limit(rate)
            port.tap = active.tap
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fission-taps", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while self._look():
            self._wake.wait(0.25)
            self._wake.clear()
            for active in list(self._active.values()):
                while (block := active.tap.take()) is not None:
                    message = describe(block, active.order)
                    size = 200 + len(message.text) + len(message.payload)
                    if active.bucket.take(size, time.monotonic()):
                        self._offer(message)

    def _look(self) -> bool:
        """End the taps whose time is over; return False when there are none left."""
        now = time.monotonic()
        with self._lock:
            for pipe, active in list(self._active.items()):
                if now >= active.until:
                    active.port.tap = None
                    del self._active[pipe]
            if not self._active:
                self._thread = None
            return bool(self._active)


class _Active:
    """A tap with its order."""

    def __init__(self, port: OutPort, tap: PipeTap, order: Tap) -> None:
        self.port = port
        self.tap = tap
        self.order = order
        self.bucket = TokenBucket(order.size_rate, order.size_rate)
        self.until = 0.0

    def follow(self, order: Tap, until: float) -> None:
        """Take in a new order, which holds `until` then."""
        if self.order.size_rate != order.size_rate:
            self.bucket = TokenBucket(order.size_rate, order.size_rate)
        self.order = order
        self.until = until


def describe(block: TappedBlock, order: Tap) -> TapBlock:
    """Describe a block. Nothing that it contains, and no code of its class, can make this fail."""
    pipe, payload = block.pipe, block.payload
    size = payload_size(payload)
    limit = min(order.text, TAP_TEXT)
    text, is_json, array = "", False, None
    raw = b"".join(payload) if isinstance(payload, tuple) else payload
    if size > _LARGEST:
        text = f"a block of {size} bytes, too large to be shown"
    elif not _is_plain(pipe):
        text = f"{type(pipe).__name__}: {bytes(raw[: limit // 2])!r}"
    elif isinstance(pipe, JSONPipe):
        text, is_json = str(raw[: 4 * limit], "utf-8", "replace").rstrip("\n"), True
    else:
        try:
            value = codec_for(pipe).decode(frozen(payload))
            array = summarize(value)
            text = "" if array is not None else _text_of(value, limit)
        except Exception as error:  # noqa: BLE001 - the code of the user's classes may raise anything
            text = f"cannot be shown ({type(error).__name__})"
    whole = order.raw and size <= RAW_LIMIT
    return TapBlock(
        pipe.id,
        *block.position,
        size,
        time.time(),
        _cut(text, min(limit, _RAW_TEXT) if whole else limit),
        is_json,
        array,
        bytes(raw) if whole else b"",
    )


def summarize(value: Any) -> ArraySummary | None:
    """Return the summary of an array; None for another value."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray):
        return None
    dtype, shape = str(value.dtype)[:200], tuple(value.shape)
    if value.dtype.kind not in "biufc" or not value.size:
        return ArraySummary(dtype, shape)
    step = -(-value.size // _MOST_ELEMENTS)
    flat = value.reshape(-1)[::step]
    if value.dtype.kind == "c":
        flat = abs(flat)
    with numpy.errstate(all="ignore"):
        numbers = flat.astype(numpy.float64)
        return ArraySummary(
            dtype,
            shape,
            float(numbers.min()),
            float(numbers.max()),
            float(numbers.mean()),
            float(numpy.sqrt(numpy.mean(numbers * numbers))),
            sampled=step > 1,
        )


def _is_plain(pipe: BasePipe) -> bool:
    """Whether decoding calls only the library's own methods, which may be called in any thread."""
    return all(getattr(type(pipe), name).__module__.startswith("fission.") for name in ("read", "unpack"))


def _text_of(value: object, limit: int) -> str:
    short = reprlib.Repr()
    short.maxlevel = 6
    short.maxlist = short.maxtuple = short.maxdict = short.maxset = short.maxfrozenset = short.maxdeque = 100
    short.maxstring = short.maxother = short.maxlong = max(20, limit)
    return short.repr(value)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(0, limit - 3)] + "..."
