"""Two sides of a pairing joined by a list of frames, which a test may change on their way."""

from collections.abc import Callable

from fission.pairing.frames import Frame, FrameReader
from fission.pairing.handshake import ClientPairing, DevicePairing, State

CODE = "12345678"
ABOUT_CLIENT = {"version": "0.1.0", "cluster": "ab" * 32}
ABOUT_DEVICE = {"version": "0.1.0", "address": "192.168.4.2", "port": 8785, "name": "roof"}

Change = Callable[[str, int, bytes], bytes]
"""Of the sender, the number of its message and its bytes: what arrives."""


def frames(data: bytes) -> list[Frame]:
    """Cut whole frames."""
    reader, found = FrameReader(), []
    while data:
        piece, data = data[: reader.wanted], data[reader.wanted :]
        frame = reader.feed(piece)
        if frame is not None:
            found.append(frame)
    return found


def sides(client_code: str = CODE, device_code: str = CODE) -> tuple[ClientPairing, DevicePairing]:
    return ClientPairing(client_code, ABOUT_CLIENT), DevicePairing(device_code, ABOUT_DEVICE)


def join(client: ClientPairing, device: DevicePairing, change: Change = lambda *part: part[2]) -> None:
    """Let the sides talk until both are paired. Raises what either of them raises."""
    counts = {"client": 0, "device": 0}

    def carried(sender: str, data: bytes) -> list[Frame]:
        arrived = []
        for frame in frames(data):
            arrived.append(Frame(frame.kind, change(sender, counts[sender], frame.data)))
            counts[sender] += 1
        return arrived

    to_device = carried("client", client.begin())
    while client.state is not State.PAIRED or device.state is not State.PAIRED:
        to_client = [one for frame in to_device for one in carried("device", device.receive(frame))]
        to_device = [one for frame in to_client for one in carried("client", client.receive(frame))]
