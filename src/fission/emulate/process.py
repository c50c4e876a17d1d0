"""The process of an emulated job, without an event loop: everything happens while the caller is in `Poller.poll`."""

import codecs
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import IO, Any

from fission.errors import JobFailed, RunError
from fission.runtime import messages
from fission.runtime.messages import JobSpec, Phase, from_job
from fission.runtime.sockets.poller import Poller

__all__ = ["ChildProcess"]

GRACE = 1.0
"""Seconds between asking the process to end and killing it."""

_log = logging.getLogger("fission.emulate")


class ChildProcess:
    """Starts the process of `spec` with the first messages, and follows it.

    What the job writes is written to `sys.stdout` and `sys.stderr` of the caller, its log lines go to the logger
    "fission.emulate". `on_listening` gets the address of its listener. `close` ends it, whatever it does.
    """

    def __init__(
        self,
        spec: JobSpec,
        first: list[messages.ToJob],
        poller: Poller,
        on_listening: Callable[[str], None],
    ) -> None:
        self.ready = False
        self.over = False
        """No more messages will arrive: the process has ended, or is about to end."""
        self.failure: messages.Failed | None = None
        self._name = spec.name
        self._finished = False
        self._poller = poller
        self._on_listening = on_listening
        self._reader = from_job()
        self._control, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = _start(theirs.fileno())
        except OSError as error:
            self._control.close()
            raise RunError("its process cannot be started", where=spec.name, found=str(error)) from error
        self._outputs = [
            _Output(self._process.stdout, "stdout"),
            _Output(self._process.stderr, "stderr"),
        ]
        for output in self._outputs:
            poller.watch(output.fd, partial(self._on_output, output))
        poller.watch(self._control.fileno(), lambda _event: self._on_control())
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # then it ends, and we will see how
            self._control.sendall(b"".join(map(messages.encode, [messages.Start(spec), *first])))

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def show_output(self) -> None:
        """Write everything that the job has written until now."""
        for output in self._outputs:
            self._on_output(output, 0)

    def check(self) -> None:
        """Raise what the process has ended with: JobFailed, or RunError when the reason is not known."""
        if self.failure is not None:
            self.show_output()
            raise _job_failed(self._name, self.failure)
        if self.over and not self._finished:
            self.show_output()
            code = self._wait(GRACE)
            raise RunError(f"its process {_how(code)}", where=f"job {self._name}")

    def close(self) -> None:
        """End the process and all that it has started: it may call `teardown` first, for at most a second."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
        failed_before = self.failure
        end = monotonic() + GRACE
        while self._process.poll() is None and monotonic() < end:
            self._poller.poll(0.002 if self.over else 0.05)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        while self._receive():  # its last messages
            pass
        self.show_output()
        for output in self._outputs:
            self._poller.forget(output.fd)
            output.close()
        self._hang_up()
        self._control.close()
        if self.failure is not failed_before and self.failure is not None:
            _log.error("%s\n%s", _job_failed(self._name, self.failure), self.failure.traceback)

    # -- inside ------------------------------------------------------------------------------------------

    def _on_output(self, output: "_Output", _event: int) -> None:
        if not output.show():
            self._poller.forget(output.fd)

    def _on_control(self) -> None:
        self._receive()

    def _receive(self) -> bool:
        """Handle the messages of the process; return False when there are none now."""
        if self.over:
            return False
        try:
            data = self._control.recv(1 << 16, socket.MSG_DONTWAIT)
            for message in self._reader.feed(data):
                self._take(message)
        except BlockingIOError:
            return False
        except (ConnectionError, RunError):  # or the job's code has written to the socket
            data = b""
        if not data:
            self._hang_up()
        return bool(data)

    def _hang_up(self) -> None:
        self.over = True
        self._poller.forget(self._control.fileno())

    def _take(self, message: Any) -> None:
        match message:
            case messages.Listening():
                self._on_listening(message.address)
            case messages.Ready():
                self.ready = True
            case messages.Log():
                _log.log(message.level, "%s: %s", self._name, message.text)
            case messages.Finished():
                self._finished = True
            case messages.Failed():
                self.failure = message

    def _wait(self, seconds: float) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None


class _Output:
    """A pipe that the process writes text to."""

    def __init__(self, file: IO[bytes] | None, name: str) -> None:
        if file is None:
            raise RunError(f"the process has no {name}")
        self._file = file
        self._name = name
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self.fd = file.fileno()
        os.set_blocking(self.fd, False)

    def show(self) -> bool:
        """Write what has come to our own stream of that name; False: nothing will come any more."""
        while not self._file.closed:
            try:
                data = os.read(self.fd, 1 << 16)
            except BlockingIOError:
                return True
            text = self._decoder.decode(data, final=not data)
            if text:
                stream = getattr(sys, self._name)
                stream.write(text)
                stream.flush()
            if not data:
                return False
        return False

    def close(self) -> None:
        self._file.close()


def _start(control: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(  # noqa: S603 - the interpreter that runs us
        [sys.executable, "-P", "-m", "fission.runtime.job.process", str(control)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        pass_fds=(control,),
        start_new_session=True,  # Ctrl+C is for the caller, and the group can be ended whole
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "FISSION_WINDOWS": "off"},
    )


_PLACES = {
    Phase.LOADING: "cannot be loaded: ",
    Phase.FINISH: "its outputs could not be ended: ",
    Phase.TEARDOWN: "in teardown(): ",
}


def _job_failed(name: str, failure: messages.Failed) -> JobFailed:
    message = failure.message.removeprefix(f"job {name}: ")
    error = JobFailed(
        _PLACES.get(failure.where, "") + message,
        job=name,
        round=failure.round if failure.where not in (Phase.LOADING, Phase.SETUP) else 0,
        traceback=failure.traceback,
    )
    if failure.traceback:
        error.add_note(failure.traceback)
    return error


def _how(code: int | None) -> str:
    if code is None:
        return "does not answer any more"
    if code >= 0:
        return f"ended by itself with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
