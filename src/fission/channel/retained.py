"""What a sender keeps: the frames as they travel, of bounded size, that can grow until they are encoded."""

from collections.abc import Iterable

from fission.channel.ranges import size_of
from fission.channel.wire.encoder import encode_batch
from fission.channel.wire.frames import Batch, Buffer, Payload

FRAME_BYTES = 64 << 10
FRAME_BLOCKS = 4096
"""About the largest frame in bytes and in blocks; a single block may be larger."""

BLOCK_COST = 8
FRAME_COST = 256
"""Bytes that a block and a frame cost beside their payload, so that many tiny blocks cannot outgrow `retain`."""


class RetainedFrame:
    """One frame of the window: its blocks while it can still grow, then its encoded form."""

    __slots__ = (
        "blocks",
        "count",
        "data",
        "epoch",
        "first",
        "gone",
        "head",
        "last",
        "mono",
        "owned",
        "sent",
        "size",
        "wall",
    )

    def __init__(
        self, epoch: int, first: int, head: int, times: tuple[float, float], blocks: list[Payload], size: int
    ) -> None:
        count = len(blocks)
        self.epoch = epoch
        self.first = first
        self.last = first + count - 1
        self.count = count
        self.head = head
        self.mono, self.wall = times
        self.blocks = blocks
        self.size = size
        self.gone = 0
        self.sent = False
        self.owned = False
        self.data: list[Buffer] | None = None

    def encode(self) -> list[Buffer]:
        """Make the buffers of the frame, which can no longer grow; return them."""
        data = encode_batch(Batch(self.epoch, self.first, self.head, self.mono, self.wall, self.blocks))
        self.data = data
        self.blocks = []
        return data

    def close(self) -> None:
        """Encode the frame now: single blocks take several times more memory."""
        if self.data is None:
            self.encode()

    def behead(self, count: int) -> None:
        """Drop the first blocks of a frame that was not encoded yet."""
        self.blocks = self.blocks[count:]
        self.first += count
        self.count -= count

    def absorb(self, other: "RetainedFrame") -> bool:
        """Take the blocks of the next entry into this frame, if they fit and it was not encoded yet."""
        if (
            self.data is not None
            or self.head != other.head
            or self.epoch != other.epoch
            or self.last + 1 != other.first
            or self.size + other.size > FRAME_BYTES
            or self.count + other.count > FRAME_BLOCKS
        ):
            return False
        if self.owned:
            self.blocks += other.blocks
        else:  # the caller may have given the same list to another window
            self.blocks = self.blocks + other.blocks
            self.owned = True
        self.count += other.count
        self.last = other.last
        self.size += other.size
        return True


def pieces(blocks: list[Payload], size: int) -> Iterable[list[Payload]]:
    """Cut blocks of this size together into frames of about FRAME_BYTES and at most FRAME_BLOCKS."""
    count = len(blocks)
    frames = max(-(-size // FRAME_BYTES), -(-count // FRAME_BLOCKS))
    step = -(-count // frames)
    for start in range(0, count, step):
        part = blocks[start : start + step]
        actual = size_of(part) + BLOCK_COST * len(part)
        if (
            len(part) > 1 and actual > 2 * FRAME_BYTES
        ):  # sizes differ much; ends, because this makes 3 or more
            yield from pieces(part, actual)
        else:
            yield part
