"""`fission deploy`: installs, upgrades and removes the node service on devices over ssh."""

import datetime as dt
import getpass
import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from fission.deployment import deployment
from fission.deployment.deployment import Package, Plan
from fission.deployment.device_facts import DeviceFacts
from fission.deployment.node_list import add_node, read_list, remove_node
from fission.deployment.ssh import Ssh
from fission.engine.protocol.versions import fit_together
from fission.errors import FissionError, RunError, UserError
from fission.management.commands.devices.certs import DAYS
from fission.management.commands.devices.deploy_check import verify
from fission.management.commands.devices.rolling import drained, networks_with
from fission.management.console.exit_codes import print_error
from fission.security.store import CertificateStore, NodeNames

_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """What the user wants; `root` is the project, if there is one, for networks that run while nodes are upgraded."""

    plan: Plan
    certs: Path
    node_list: Path
    root: Path | None = None
    upgrade: bool = False
    remove: bool = False
    data: bool = False
    dry_run: bool = False
    as_json: bool = False
    ask_password: bool = False


@dataclass
class _Host:
    """One host and what has become of it: `error`, or `changed`."""

    host: str
    facts: DeviceFacts | None = None
    package: Package | None = None
    name: str = ""
    error: str = ""
    reported: bool = False
    changed: list[str] = field(default_factory=list)


def deploy_command(hosts: Sequence[str], options: DeployOptions) -> int:
    """Deploy to the hosts, with `upgrade` and without hosts to the nodes of the node list; return the exit code."""
    chosen = [deployment.check_host(host) for host in dict.fromkeys(hosts)]
    if not chosen and options.upgrade:
        chosen = [node.ip for node in read_list(options.node_list)]
    if not chosen:
        raise UserError(
            "no hosts are named", hint="For example: fission deploy pi@192.168.4.2 pi@192.168.4.3"
        )
    with Ssh.connections() as ssh:
        work = _Deployment(ssh, options, [_Host(host) for host in chosen])
        work.run()
    if options.as_json:
        print(json.dumps([_plain(one) for one in work.hosts], indent=2))
    return 1 if any(one.error for one in work.hosts) else 0


class _Deployment:
    def __init__(self, ssh: Ssh, options: DeployOptions, hosts: list[_Host]) -> None:
        self.hosts = hosts
        self._ssh = ssh
        self._options = options
        self._password = False

    def run(self) -> None:
        """Look at all hosts, then install or remove."""
        if self._options.ask_password:
            password = getpass.getpass("sudo password of the devices: ")
            self._password = True
            for one in self.hosts:
                self._ssh.remember_password(one.host, password)
        self._look()
        if self._options.remove:
            self._side_by_side(self._remove, self._finish)
            return
        self._prepare()
        if self._options.dry_run:
            for one in self._good():
                self._say(one, f"would {self._intention(one)}")
            return
        rolling = self._options.upgrade and any(
            networks_with(self._options.root, one.facts.address) for one in self._good() if one.facts
        )
        if rolling:
            self._one_by_one()
        else:
            self._side_by_side(self._install, self._finish)

    def _look(self) -> None:
        """Look at all hosts side by side; ask on the terminal those that need it, one after another."""
        self._side_by_side(self._probe)
        for one in self.hosts if sys.stdin.isatty() and not self._options.as_json else ():
            if any(mark in one.error for mark in ("Permission denied", "Host key verification failed")):
                print(f"{one.host}: logging in", flush=True)
                if self._ssh.log_in(one.host):
                    one.error = ""
                    self._attempt(self._probe, one)
        self._report()

    def _probe(self, one: _Host) -> None:
        one.facts = deployment.look(self._ssh, one.host)
        if self._options.remove:
            one.facts.require_root(one.host, password=self._password)
        else:
            deployment.check_now(one.host, one.facts, password=self._password)

    def _prepare(self) -> None:
        """Collect packages, choose names, make certificates: once for all hosts, in this thread."""
        used = {node.name: node.ip for node in read_list(self._options.node_list) if node.name}
        for one in self._good():
            self._attempt(self._prepare_one, one)
            if one.facts and not one.error:
                one.name = deployment.node_name(one.host, one.facts, used)
                used[one.name] = one.facts.address
        self._report()
        if not self._options.dry_run and self._good():
            names = [NodeNames.parse(one.facts.address) for one in self._good() if one.facts]
            store = CertificateStore(self._options.certs)
            store.update(names, days=DAYS, renew=False, now=dt.datetime.now(dt.UTC))

    def _prepare_one(self, one: _Host) -> None:
        assert one.facts is not None  # noqa: S101 - only hosts that were looked at come here
        for other in self.hosts[: self.hosts.index(one)]:
            if other.facts and other.facts.address == one.facts.address:
                raise RunError(
                    f"this is the same device as {other.host}", where=one.host, hint="Name it once"
                )
        try:
            one.package = self._options.plan.package_for(one.facts)
        except RunError as error:
            raise RunError(str(error), where=one.host) from error
        if not self._options.upgrade:
            deployment.require_same(one.host, one.facts, one.package)

    def _one_by_one(self) -> None:
        """Upgrade under running networks; after a failure the other nodes stay as they are."""
        failed = ""
        for one in self._good():
            if failed:
                reason = RunError(
                    f"not upgraded, because {failed} failed", where=one.host, hint="Run it again"
                )
                one.error = str(reason)
            else:
                self._attempt(self._install, one)
                self._finish(one)
                failed = one.host if one.error else ""
        self._report()

    def _install(self, one: _Host) -> None:
        facts, package, options = one.facts, one.package, self._options
        if facts is None or package is None:
            return
        folder = CertificateStore(options.certs).node(facts.address)

        def say(text: str) -> None:
            self._say(one, text)

        differs = facts.wheels != package.digest
        if options.upgrade and differs:
            self._require_fit(one.host, facts)
        rolling = drained(options.root, facts.address, say) if options.upgrade and differs else nullcontext()
        with rolling:
            one.changed = deployment.install(
                self._ssh, one.host, facts, package, folder, one.name, options.plan, say
            )
            verify(one.host, facts.address, options.plan.port, options.certs)

    def _require_fit(self, host: str, facts: DeviceFacts) -> None:
        """Raise RunError when a running network could not use the node after its upgrade."""
        ours = metadata.version("fission")
        if facts.version and not fit_together(facts.version, ours):
            for name in networks_with(self._options.root, facts.address):
                raise RunError(
                    f"version {ours} does not work together with {facts.version}, which the network {name} runs with",
                    where=host,
                    hint=f"Stop it first: fission stop {name}",
                )

    def _remove(self, one: _Host) -> None:
        if one.facts is None:
            return
        if self._options.dry_run:
            self._say(one, f"would remove FISSION {one.facts.version or '(none is installed)'}")
            return
        one.changed = deployment.remove(self._ssh, one.host, one.facts, data=self._options.data)
        one.name = one.facts.hostname

    def _side_by_side(
        self, step: Callable[[_Host], None], finish: Callable[[_Host], None] | None = None
    ) -> None:
        """Do a step for all hosts that are left; `finish` is called in this thread for each when it is done."""
        with ThreadPoolExecutor(min(_AT_ONCE, len(self.hosts))) as threads:
            steps = {threads.submit(self._attempt, step, one): one for one in self._good()}
            try:
                for done in as_completed(steps):
                    done.result()
                    if finish is not None:
                        finish(steps[done])
            except BaseException:  # Ctrl+C: hosts that have not begun stay as they are
                threads.shutdown(wait=False, cancel_futures=True)
                raise

    def _attempt(self, step: Callable[[_Host], None], one: _Host) -> None:
        try:
            step(one)
        except FissionError as error:
            one.error = str(error)

    def _good(self) -> list[_Host]:
        return [one for one in self.hosts if not one.error]

    # -- afterwards --------------------------------------------------------------------------------------

    def _finish(self, one: _Host) -> None:
        """Enter a node into the node list, or remove it from there, and print what has changed."""
        if not one.error and one.facts and not self._options.dry_run:
            self._attempt(self._list, one)
            self._say(one, self._summary(one, one.facts))
        self._report()

    def _list(self, one: _Host) -> None:
        assert one.facts is not None  # noqa: S101 - only hosts that were looked at come here
        options = self._options
        if options.remove:
            remove_node(options.node_list, one.facts.address)
        else:
            add_node(options.node_list, one.name, one.facts.address, options.plan.groups)

    def _summary(self, one: _Host, facts: DeviceFacts) -> str:
        changed = ", ".join(one.changed)
        if self._options.remove:
            return f"removed {changed}" if changed else "nothing was installed"
        where = f"{one.name} serves at {facts.address} port {self._options.plan.port}"
        return f"{where} ({f'changed: {changed}' if changed else 'nothing has changed'})"

    def _intention(self, one: _Host) -> str:
        facts = one.facts
        if facts is None or one.package is None:
            return "do nothing"
        what = f"{facts.machine}, Python {facts.python}, at {facts.address}"
        if not facts.wheels:
            return f"install FISSION ({what})"
        if facts.wheels != one.package.digest:
            return f"upgrade FISSION {facts.version} ({what})"
        return f"check settings, certificate and unit of FISSION {facts.version} ({what})"

    # -- output ------------------------------------------------------------------------------------------

    def _say(self, one: _Host, text: str) -> None:
        if not self._options.as_json:
            print(f"{one.host}: {text}", flush=True)

    def _report(self) -> None:
        """Print the errors that were not printed yet."""
        for one in self.hosts:
            if one.error and not one.reported:
                one.reported = True
                print_error(one.error)


def _plain(one: _Host) -> dict[str, Any]:
    facts = one.facts
    return {
        "host": one.host,
        "name": one.name,
        "address": facts.address if facts else "",
        "machine": facts.machine if facts else "",
        "changed": one.changed,
        "error": one.error,
    }
