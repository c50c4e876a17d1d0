"""The outputs of a job: a refusal is final; a machine that does not answer is told from a process that does not."""

import time

from fission.channel.sender import Sender
from fission.channel.wire.encoder import encode_control
from fission.channel.wire.frames import Refuse
from fission.core.pipes import PicklePipe
from fission.runtime.data.outgoing import SILENT_SECONDS, Outgoing
from fission.runtime.data.ports import OutPort
from fission.runtime.sockets import transport
from fission.runtime.sockets.poller import Poller


def test_a_route_after_a_refusal_changes_nothing() -> None:
    """It failed with 'CONNECTED in state REFUSED', which hid the reason of the refusal."""
    poller, logs = Poller(), []
    pipe = PicklePipe(1)
    port = OutPort(pipe, Sender(1, run="run"))
    outgoing = Outgoing([port], poller, lambda _level, text: logs.append(text), "", None)
    (listener,) = transport.listen("tcp:127.0.0.1:0")
    outgoing.route(1, str(listener.endpoint))
    outgoing.hand_over()
    listener.sock.setblocking(True)
    listener.sock.settimeout(20)
    accepted, _ = listener.sock.accept()
    accepted.sendall(encode_control(Refuse("start 1 of its sender was replaced by start 2")))
    end = time.monotonic() + 20
    while not port.sender.refused or port.connection is not None:
        assert time.monotonic() < end
        accepted.close()
        poller.poll(0.05)
    outgoing.route(1, str(listener.endpoint))
    port.retry_at = 0.0
    outgoing.hand_over()
    outgoing.tend(time.monotonic())
    assert port.connection is None
    listener.sock.settimeout(0)
    try:
        listener.sock.accept()
    except BlockingIOError:
        pass
    else:
        raise AssertionError("it has connected again")
    finally:
        listener.sock.close()


def test_a_machine_that_refuses_connections_is_silent_and_one_with_a_stopped_process_is_not() -> None:
    poller, pipe = Poller(), PicklePipe(1)
    port = OutPort(pipe, Sender(1, run="run"))
    outgoing = Outgoing([port], poller, lambda _level, _text: None, "", None)
    (listener,) = transport.listen("tcp:127.0.0.1:0")
    address = str(listener.endpoint)
    listener.sock.close()
    outgoing.route(1, address)

    def turn() -> float:
        port.retry_at = 0.0
        outgoing.hand_over()
        poller.poll(0.05)
        outgoing.tend(time.monotonic())
        return port.silent

    end = time.monotonic() + 20
    while not turn():
        assert time.monotonic() < end
    assert port.silent >= SILENT_SECONDS
    (listener,) = transport.listen(address)  # its process accepts nothing: the kernel does
    try:
        while turn():
            assert time.monotonic() < end
        later = time.monotonic() + SILENT_SECONDS
        while time.monotonic() < later:
            assert not turn()
        outgoing.route(1, "unix:/nowhere")
        assert not turn()
    finally:
        listener.sock.close()
