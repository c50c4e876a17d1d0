"""The conversation over the connections of one pipe, as the tables of its two ends: what may happen when, and what then.

What is in no table must not happen: `machine` refuses it, as our mistake or as that of the other side. `sender` and `receiver`
do what the tables allow.
"""

from enum import IntEnum, auto

__all__ = [
    "RECEIVER_LOCAL",
    "RECEIVER_TABLE",
    "SENDER_LOCAL",
    "SENDER_TABLE",
    "STREAM_TABLE",
    "ReceiverEvent",
    "ReceiverState",
    "SenderEvent",
    "SenderState",
    "StreamState",
]


class SenderState(IntEnum):
    """Where the conversation with the receiver stands."""

    IDLE = auto()  # no connection
    GREETING = auto()  # said HELLO, waiting for WELCOME
    STREAMING = auto()
    DONE = auto()  # the receiver needs no further blocks
    REFUSED = auto()  # a newer incarnation speaks for this pipe; for ever


class SenderEvent(IntEnum):
    """What can happen to a sender; the first group is ours, the second comes from the receiver."""

    CONNECTED = auto()
    DISCONNECTED = auto()
    GONE = auto()
    WRITE = auto()
    RESET = auto()
    FINISH = auto()

    WELCOME = auto()
    ANYWHERE = auto()  # a WELCOME that leaves it to us where to begin
    ACK = auto()
    SECURED = auto()
    DONE = auto()
    REFUSE = auto()


class StreamState(IntEnum):
    """Whether more may be written."""

    OPEN = auto()
    ENDED = auto()


_S, _E, _T = SenderState, SenderEvent, StreamState
_FROM_RECEIVER = (_E.WELCOME, _E.ANYWHERE, _E.ACK, _E.SECURED, _E.DONE, _E.REFUSE)

SENDER_TABLE: dict[tuple[SenderState, SenderEvent], SenderState] = {
    (_S.IDLE, _E.CONNECTED): _S.GREETING,
    (_S.GREETING, _E.WELCOME): _S.STREAMING,
    (_S.GREETING, _E.ANYWHERE): _S.GREETING,  # HELLO is sent again once the position is known
    (_S.GREETING, _E.DONE): _S.DONE,  # nothing is wanted, so there is nothing to welcome
    (_S.GREETING, _E.REFUSE): _S.REFUSED,
    (_S.GREETING, _E.DISCONNECTED): _S.IDLE,
    (_S.STREAMING, _E.ACK): _S.STREAMING,
    (_S.STREAMING, _E.SECURED): _S.STREAMING,
    (_S.STREAMING, _E.DONE): _S.DONE,
    (_S.STREAMING, _E.REFUSE): _S.REFUSED,
    (_S.STREAMING, _E.DISCONNECTED): _S.IDLE,
    (_S.DONE, _E.CONNECTED): _S.DONE,  # an attempt that was under way; nothing is said on it
    (_S.DONE, _E.DISCONNECTED): _S.DONE,
    # GONE, reported by the coordinator, may overtake the receiver's own messages
    **{(_S.DONE, event): _S.DONE for event in _FROM_RECEIVER},
    (_S.REFUSED, _E.DISCONNECTED): _S.REFUSED,
    **{(state, _E.GONE): _S.DONE for state in (_S.IDLE, _S.GREETING, _S.STREAMING, _S.DONE)},
    (_S.REFUSED, _E.GONE): _S.REFUSED,
}

STREAM_TABLE: dict[tuple[StreamState, SenderEvent], StreamState] = {
    (_T.OPEN, _E.WRITE): _T.OPEN,
    (_T.OPEN, _E.RESET): _T.OPEN,
    (_T.OPEN, _E.FINISH): _T.ENDED,
    (_T.ENDED, _E.FINISH): _T.ENDED,
}

SENDER_LOCAL = frozenset({_E.CONNECTED, _E.DISCONNECTED, _E.GONE, _E.WRITE, _E.RESET, _E.FINISH})
"""What a sender does itself; everything else the receiver has said."""


class ReceiverState(IntEnum):
    """Where the conversation with the sender stands."""

    IDLE = auto()  # no connection
    STREAMING = auto()
    ENDED = auto()  # this connection has said END
    DONE = auto()  # we want nothing more


class ReceiverEvent(IntEnum):
    """What can happen to a receiver; the first group is ours, the second comes from the sender."""

    DISCONNECTED = auto()
    DONE = auto()

    HELLO = auto()
    DATA = auto()
    PRESS = auto()
    END = auto()


_R, _H = ReceiverState, ReceiverEvent

RECEIVER_TABLE: dict[tuple[ReceiverState, ReceiverEvent], ReceiverState] = {
    (_R.IDLE, _H.HELLO): _R.STREAMING,
    (_R.IDLE, _H.DISCONNECTED): _R.IDLE,
    (_R.IDLE, _H.DONE): _R.DONE,
    (_R.STREAMING, _H.HELLO): _R.STREAMING,  # a newer connection takes over
    (_R.STREAMING, _H.DATA): _R.STREAMING,
    (_R.STREAMING, _H.PRESS): _R.STREAMING,
    (_R.STREAMING, _H.END): _R.ENDED,
    (_R.STREAMING, _H.DISCONNECTED): _R.IDLE,
    (_R.STREAMING, _H.DONE): _R.DONE,
    (_R.ENDED, _H.HELLO): _R.STREAMING,
    (_R.ENDED, _H.PRESS): _R.ENDED,
    (_R.ENDED, _H.DISCONNECTED): _R.IDLE,
    (_R.ENDED, _H.DONE): _R.DONE,
    (_R.DONE, _H.HELLO): _R.DONE,
    (_R.DONE, _H.DATA): _R.DONE,
    (_R.DONE, _H.PRESS): _R.DONE,
    (_R.DONE, _H.END): _R.DONE,
    (_R.DONE, _H.DISCONNECTED): _R.DONE,
    (_R.DONE, _H.DONE): _R.DONE,
}

RECEIVER_LOCAL = frozenset({_H.DISCONNECTED, _H.DONE})
"""What a receiver does itself; everything else the sender has said."""
