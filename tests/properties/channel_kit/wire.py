"""Connections that can be cut, delayed and superseded. Bytes travel as they would over a socket."""

from fission.channel.wire.decoder import FrameDecoder
from fission.channel.wire.encoder import encode_control
from fission.channel.wire.frames import Frame, Hello, Refuse


def feed(decoder: FrameDecoder, data: bytes) -> list[Frame]:
    """Give bytes to a decoder as a socket would."""
    frames: list[Frame] = []
    while data:
        room = decoder.get_buffer()
        count = min(len(room), len(data))
        room[:count] = data[:count]
        frames += decoder.buffer_updated(count)
        data = data[count:]
    return frames


class Connection:
    """Two streams of bytes. Each end notices for itself that the connection is gone."""

    def __init__(self) -> None:
        self.up = bytearray()
        self.down = bytearray()
        self.sender_open = True
        self.receiver_open = True
        self.greeted = False  # the receiver has accepted its HELLO
        self._up_decoder = FrameDecoder()
        self._down_decoder = FrameDecoder()

    def arrive_up(self, count: int) -> list[Frame]:
        """Let bytes from the sender reach the receiver."""
        data = bytes(self.up[:count])
        del self.up[:count]
        return feed(self._up_decoder, data)

    def arrive_down(self, count: int) -> list[Frame]:
        """Let bytes from the receiver reach the sender."""
        data = bytes(self.down[:count])
        del self.down[:count]
        return feed(self._down_decoder, data)


class Wire:
    """All connections of one pipe, and the shell around its two ends: what a runtime would do."""

    def __init__(self, receiver, on_batches, on_hello=lambda hello, accepted: None) -> None:
        self.receiver = receiver
        self.connections: list[Connection] = []
        self.accepted: Connection | None = None
        self._on_batches = on_batches
        self._on_hello = on_hello

    # -- the sender's shell ------------------------------------------------------------------------------

    def connect(self, sender) -> Connection:
        connection = Connection()
        self.connections.append(connection)
        sender.connected()
        return connection

    def pump_sender(self, sender, connection: Connection, limit: int = 1 << 20) -> bool:
        """Move what the sender has to say onto the wire."""
        out = sender.take(limit)
        for buffer in out:
            connection.up += buffer
        return bool(out)

    def down(self, sender, connection: Connection, count: int) -> None:
        """Let bytes arrive at the sender, if it still listens to this connection."""
        frames = connection.arrive_down(count)
        if connection.sender_open:
            for frame in frames:
                sender.receive(frame)

    def sender_gone(self, connection: Connection, lost_from: int) -> None:
        """The sender's end is closed: of what is under way, bytes from `lost_from` on are lost."""
        connection.sender_open = False
        del connection.up[lost_from:]

    # -- the receiver's shell ----------------------------------------------------------------------------

    def up(self, connection: Connection, count: int) -> None:
        """Let bytes arrive at the receiver."""
        if not connection.receiver_open:
            connection.up.clear()
            return
        for frame in connection.arrive_up(count):
            if not connection.receiver_open:
                break
            if connection is self.accepted:
                self._on_batches(self.receiver.receive(frame))
            else:
                self._greet(connection, frame)

    def _greet(self, connection: Connection, frame: Frame) -> None:
        assert isinstance(frame, Hello)
        accepted = self.receiver.hello(frame)
        self._on_hello(frame, accepted)
        if not accepted:
            connection.down += encode_control(Refuse(self.receiver.refusal))
            connection.receiver_open = False
            return
        if self.accepted is not None:
            self.accepted.receiver_open = False
        self.accepted = connection
        connection.greeted = True

    def pump_receiver(self, now: float) -> bool:
        """Move what the receiver has to say onto the wire of its accepted connection."""
        out = self.receiver.take(now)
        if self.accepted is not None:
            for buffer in out:
                self.accepted.down += buffer
        return bool(out)

    def receiver_gone(self, connection: Connection, *, process: bool = False) -> None:
        """The receiver's end is closed; with `process` the receiver itself has gone, and says nothing."""
        if connection.receiver_open:
            connection.receiver_open = False
            if connection is self.accepted:
                self.accepted = None
                if not process:
                    self.receiver.disconnected()
