"""The job process: `python -m fission.runtime.job.process FD`, started by a supervisor with one end of a socket pair.

It reads its `JobSpec`, opens its listener, loads the user's job, calls `setup()`, runs the loop, and reports on the control
socket. It ends by itself when the supervisor is gone.
"""

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from fission.channel.ranges import Position
from fission.core.jobs import PythonJob
from fission.core.jobs.base import has_state
from fission.errors import RunError
from fission.runtime import messages
from fission.runtime.data.exchange import Exchange
from fission.runtime.data.incoming import Incoming
from fission.runtime.data.io_thread import IoThread
from fission.runtime.data.outgoing import Outgoing
from fission.runtime.job.descriptors import StandardDescriptors, flush_output
from fission.runtime.job.forked_child import ForkGuard
from fission.runtime.job.port_factory import in_ports, out_ports
from fission.runtime.job.reporting import Reporter
from fission.runtime.job.resume import find_restart_point, first_point, goes_on, look_for_state
from fission.runtime.job.round_loop import RoundLoop, end_child_at_return
from fission.runtime.job.supervisor_channel import Control
from fission.runtime.messages import JobSpec, Phase
from fission.runtime.process_title import set_title
from fission.runtime.sockets import transport
from fission.runtime.sockets.endpoints import parse
from fission.runtime.sockets.poller import Poller
from fission.runtime.sockets.transport import ListeningSocket
from fission.serialization import by_value

if TYPE_CHECKING:
    from fission.core.jobs import ExecutableJob
    from fission.runtime.job.taps import Taps
    from fission.runtime.programs.program_loop import ProgramLoop
    from fission.runtime.sockets.tls import Certificate

GRACE = 1.0
"""Seconds between the loss of the supervisor and SIGKILL."""


class JobStopped(BaseException):
    """Raised in the job's thread when the supervisor wants the process to end."""


_GAVE_NOTHING = "run() returned None in its first round, which ends the job although it has outputs. Is a `return` missing?"


class JobProcess:
    """One job, from its spec to its end."""

    def __init__(self, control: Control, spec: JobSpec) -> None:
        self._control = control
        self._spec = spec
        self._stopping = False
        self._alone = False
        self._interrupted = False
        self._where = Phase.LOADING
        self._loop: RoundLoop | ProgramLoop | None = None
        self._job: PythonJob | ExecutableJob | None = None
        self._exchange: Exchange | None = None
        self._poller: Poller | None = None
        self._certificate: Certificate | None = None
        self._listeners: Sequence[ListeningSocket] = ()
        self._taps: Taps | None = None
        self._standard = StandardDescriptors(self._descriptors, self._log)
        self._guard = ForkGuard(self._descriptors, self._on_fork)
        self._stateful = False
        self._reporter = Reporter(
            control.send, lambda: getattr(self._loop, "cpu_seconds", 0.0), spec.progress_timeout
        )

    def run(self) -> int:
        """Run the job to its end and return the exit code of the process."""
        try:
            return self._run()
        finally:
            if self._alone:
                os.killpg(
                    0, signal.SIGKILL
                )  # no supervisor is left to end the programs that the job has started

    def _run(self) -> int:
        signal.signal(signal.SIGTERM, self._on_sigterm)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # ignored at the start stays ignored
            signal.signal(signal.SIGINT, self._on_sigint)
        failed = self._attempt(self._work)
        self._stopping = True  # what is left to do takes no time and must not be cut short
        where, also = self._where, ""
        if where in (Phase.SETUP, Phase.RUN, Phase.FINISH):
            self._where = Phase.TEARDOWN
            self._report()
            late = self._attempt(self._teardown)
            if failed is None:
                failed, where = late, Phase.TEARDOWN
            elif late is not None:
                also = f"teardown() failed as well: {type(late).__name__}: {late}"
                self._log(40 if isinstance(failed, JobStopped) else 10, also)
        if failed is None:
            flush_output()
            self._control.send(messages.Finished(self._loop.round if self._loop else 0))
            return 0
        if isinstance(failed, JobStopped):
            return 0
        if isinstance(failed, KeyboardInterrupt) and self._interrupted:
            self._control.send(messages.Interrupted())
            return 130
        self._fail(failed, where, also)
        return 1

    def _attempt(self, what: Callable[[], None]) -> BaseException | None:
        """Call `what`; return the exception that it raised, of any type, so that it is reported."""
        try:
            what()
        except BaseException as error:  # noqa: BLE001
            self._guard.end_child(error)
            return error
        self._guard.end_child()
        return None

    def _work(self) -> None:
        self._certificate = _load_certificate(self._spec)
        self._listeners = listeners = transport.listen(self._spec.listen)
        self._control.send(messages.Listening(transport.address_of(listeners)))
        job = self._load()
        self._guard.end_child()
        self._standard.repair()
        self._forward_logs()
        self._where = Phase.CONNECT
        exchange = self._connect(job, listeners)
        start = self._begin(job, exchange)
        self._where = Phase.SETUP
        io_thread = IoThread(exchange, self._on_io_error)
        io_thread.start()
        job.setup()
        self._guard.end_child()
        self._standard.repair()
        if self._stateful and isinstance(job, PythonJob):
            from fission.runtime.job.stored_state import keep_state  # noqa: PLC0415 - only for jobs with a state

            keep_state(job, exchange, self._spec, start, self._control.send, self._log)
        if self._spec.trial and isinstance(job, PythonJob):
            from fission.runtime.checkpointing.replay_check import record  # noqa: PLC0415 - only for `check --replay`

            record(job, self._spec, self._log)
        self._loop = self._make_loop(job, exchange, start)
        self._forward_logs()
        gc.freeze()  # what is there now stays: no collection needs to look at it again
        self._control.send(messages.Ready(start[1]))
        self._where = Phase.RUN
        self._loop.run()
        self._guard.end_child()
        gave_nothing = isinstance(self._loop, RoundLoop) and self._loop.gave_nothing
        if gave_nothing:
            self._log(30, _GAVE_NOTHING)
        self._where = Phase.FINISH
        exchange.finish()
        io_thread.close()
        self._reporter.report_losses(exchange)
        self._reporter.report(exchange, gave_nothing=gave_nothing)

    def _make_loop(
        self, job: "PythonJob | ExecutableJob", exchange: Exchange, start: Position
    ) -> "RoundLoop | ProgramLoop":
        """Create the loop around `run`, or the loop around a program, which is started."""
        if isinstance(job, PythonJob):
            self._open_console(job, exchange)
            return RoundLoop(job, exchange, start, self._log)
        from fission.runtime.programs.program_loop import started  # noqa: PLC0415 - only for jobs that are programs

        return started(job, exchange, self._log)

    def _open_console(self, job: PythonJob, exchange: Exchange) -> None:
        """Open the console of an `InteractiveJob`; its module was imported with the job."""
        module = sys.modules.get("fission.core.jobs.interactive")
        if module is not None and isinstance(job, module.InteractiveJob):
            from fission.runtime.job.console import open_console  # noqa: PLC0415

            spec = self._spec
            job.console = open_console(
                job,
                lambda: exchange.outgoing.cancelled,
                machine=spec.machine,
                identity=spec.identity,
                log=self._log,
            )

    def _load(self) -> "PythonJob | ExecutableJob":
        """Open the pickled job, which imports the user's modules, in the job's own folder."""
        spec = self._spec
        os.chdir(spec.folder)
        sys.path[:0] = [path for path in spec.sys_path if path not in sys.path]
        sys.path.append(spec.folder)
        job: PythonJob | ExecutableJob = by_value.load(spec.job)
        job.head_size = spec.head_size
        self._job = job
        return job

    def _forward_logs(self) -> None:
        """Forward the records of `logging` to the log of the network, if user code has imported it."""
        if "logging" in sys.modules:
            from fission.runtime.job.user_logging import forward_user_logs  # noqa: PLC0415

            forward_user_logs(self._spec.log_level, self._log)

    def _connect(self, job: "PythonJob | ExecutableJob", listeners: Sequence[ListeningSocket]) -> Exchange:
        spec = self._spec
        resuming = goes_on(job, spec)
        self._stateful = bool(spec.state_folder) and has_state(job)
        logging = self._stateful and isinstance(job, PythonJob)
        inputs = in_ports(job, spec, resuming=resuming, logging=logging)
        outputs = out_ports(job, spec, resuming=resuming)
        poller = Poller()
        exchange = Exchange(
            Incoming(inputs, listeners, poller, self._log, self._certificate, spec.sources),
            Outgoing(outputs, poller, self._log, spec.machine, self._certificate),
            poller=poller,
            report=self._report,
            resuming=resuming,
        )
        if any(port.logged for port in inputs):
            from fission.runtime.job.stored_state import log_optional_inputs  # noqa: PLC0415 - only for such jobs

            log_optional_inputs(exchange, spec, self._control.send, self._log)
        exchange.incoming.acceptor.open()
        self._exchange = exchange
        self._poller = poller
        poller.watch(self._control.fd, lambda _event: self._on_control())
        self._on_control()  # messages that were read with the spec do not make the socket readable
        return exchange

    def _begin(self, job: "PythonJob | ExecutableJob", exchange: Exchange) -> Position:
        """Let the exchange begin, and return the point after which it does."""
        spec = self._spec
        exchange.epoch = max(exchange.epoch, spec.epoch)
        start = first = first_point(job, spec)
        newest = (0, 0)
        if goes_on(job, spec):
            stored = [(one.epoch, one.round) for one in spec.checkpoints if one.epoch != messages.LOG_EPOCH]
            newest = max(stored, default=newest)
            start = find_restart_point(exchange, job, spec, stored, stateful=self._stateful)
            job.resumed = start > first
            if self._stateful and not exchange.outgoing.cancelled:
                look_for_state(job, spec, start, self._log)
        exchange.begin(start, stateful=self._stateful, stored=newest)
        return start

    # -- messages and signals ----------------------------------------------------------------------------

    def _on_control(self) -> None:
        """Called by the pump, in the job's thread or the I/O thread."""
        try:
            received = self._control.read(wait=False)
        except EOFError:
            self._orphaned()
            return
        for message in received:
            if isinstance(message, messages.Tap):
                self._tap(message)
            elif self._exchange is not None:
                _carry_out(message, self._exchange)

    def _tap(self, order: messages.Tap) -> None:
        """Let a thread describe some of the blocks that are sent from now on."""
        if self._exchange is None:
            return
        if self._taps is None:
            from fission.runtime.job.taps import Taps  # noqa: PLC0415 - only where somebody looks

            self._taps = Taps(self._exchange.outputs, self._control.offer)
        self._taps.order(order)

    def _orphaned(self) -> None:
        """The supervisor is gone: stop the job's thread wherever it is, or kill the process after a while."""
        self._alone = True
        if self._poller is not None:
            self._poller.forget(self._control.fd)
        timer = threading.Timer(GRACE, os.killpg, args=(0, signal.SIGKILL))  # with all that it has started
        timer.daemon = True
        timer.start()
        os.kill(os.getpid(), signal.SIGTERM)

    def _on_sigint(self, number: int, frame: FrameType | None) -> None:
        self._interrupted = (
            True  # a KeyboardInterrupt that user code raises by itself is an error like any other
        )
        signal.default_int_handler(number, frame)

    def _on_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        if not self._stopping:
            self._stopping = True
            raise JobStopped

    def _on_io_error(self, error: BaseException) -> None:
        self._fail(error, self._where)
        os._exit(1)

    def _teardown(self) -> None:
        """Call the job's `teardown()`: once, however the job ended."""
        if self._job is not None:
            self._job.teardown()

    # -- forked children ---------------------------------------------------------------------------------

    def _descriptors(self) -> list[int]:
        """The descriptors that belong to the job alone."""
        own = [self._control.fd, *(listener.sock.fileno() for listener in self._listeners)]
        return own if self._poller is None else [*own, *self._poller.descriptors]

    def _on_fork(self) -> None:
        """In a forked child: SIGTERM ends it, nothing is reported, and there is no way back into the loop."""
        if (
            signal.getsignal(signal.SIGTERM) == self._on_sigterm
        ):  # a handler that the job's code has set stays
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._control.detach()
        end_child_at_return()

    # -- what is reported --------------------------------------------------------------------------------

    def _fail(self, error: BaseException, where: Phase, also: str = "") -> None:
        """Report why the job cannot continue; `also` describes a later failure and is appended."""
        from fission.runtime.job.failure import describe_failure  # noqa: PLC0415 - it imports much; most jobs do not fail

        rounds = self._loop.round if self._loop else 0
        failure = describe_failure(error, where, rounds + 1)
        if also:
            failure = replace(failure, message=f"{failure.message}; {also}")
        self._control.send(failure)

    def _log(self, level: int, text: str) -> None:
        self._control.send(messages.Log(level, text))

    def _report(self) -> None:
        self._standard.repair()
        if self._exchange is not None:
            self._reporter.report(self._exchange, computing=self._computing())

    def _computing(self) -> bool | None:
        """Whether a round is being computed; None before the first and after the last one."""
        if self._where is Phase.RUN and self._loop is not None:
            return self._loop.computing
        return False if self._where is Phase.FINISH else None


def _carry_out(message: messages.ToJob, exchange: Exchange) -> None:
    match message:
        case messages.Route():
            exchange.outgoing.route(message.pipe, message.address)
        case messages.ReceiverGone():
            exchange.outgoing.receiver_gone(message.pipe)
        case messages.SenderGone():
            exchange.incoming.sender_gone(message.pipe)
        case messages.Placed():
            exchange.incoming.announce(message.jobs)
        case messages.Stored():
            exchange.stored((message.epoch, message.round))
        case messages.BeginEpoch():
            exchange.epoch = max(exchange.epoch, message.epoch)


def _load_certificate(spec: JobSpec) -> "Certificate | None":
    """Load the certificate of this machine, if it has one. Raises CertificateError; RunError if the address contradicts it."""
    wanted = "tls" if spec.identity else "tcp"
    for endpoint in parse(spec.listen):
        if not endpoint.local and endpoint.kind != wanted:
            raise RunError(
                "data connections are inside TLS where the machine has a certificate, and only there",
                where=f"job {spec.name}",
                expected=f"{wanted}:host:port",
                found=str(endpoint),
            )
    if not spec.identity:
        return None
    from fission.runtime.sockets.tls import Certificate  # noqa: PLC0415 - ssl is slow to import

    return Certificate(spec.identity)


def main(fd: int) -> NoReturn:
    """Run this process as a job; `fd` is its end of the control socket."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    control = Control(fd)
    try:
        spec = control.read_spec()
    except EOFError:
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.argv[:] = [spec.name]
    set_title(f"job-{spec.job_id}", f"fission: job {spec.name}")
    sys.exit(JobProcess(control, spec).run())


if __name__ == "__main__":
    main(int(sys.argv[1]))
