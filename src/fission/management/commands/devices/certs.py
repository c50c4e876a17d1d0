"""`fission certs`: make, list and renew the certificates of a cluster."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fission.management.console.tables import Row, new_console, show, table
from fission.security.errors import CertificateError
from fission.security.identity import in_days
from fission.security.store import AUTHORITY, CertificateStore, Entry, NodeNames, State

FOLDER = "certs"
DAYS = 730
_STYLES = {State.VALID: "green", State.EXPIRING: "yellow"}


def certs_command(
    directory: Path = Path(FOLDER),
    *,
    nodes: Sequence[str] = (),
    days: int = DAYS,
    renew: bool = False,
    list_only: bool = False,
) -> int:
    """Create the missing certificates in `directory`, list all, and return the exit code.

    `nodes` has one text per node: an IP address or host name, with further ones of the same node after commas. Existing
    files are only overwritten with `renew`; with `list_only` nothing is written. Certificates that expire within 30 days
    get a warning on stderr. Raises CertificateError.
    """
    out, err = new_console(), new_console(stderr=True)
    now = dt.datetime.now(dt.UTC)
    store = CertificateStore(directory)
    if list_only:
        if nodes or renew:
            raise CertificateError("--list writes nothing and cannot be combined with --node or --renew")
        written: list[Path] = []
    else:
        asked = [NodeNames.parse(text) for text in nodes]
        written = store.update(asked, days=days, renew=renew, now=now)
    entries = store.entries()
    if not entries:
        raise CertificateError(
            "there are no certificates",
            where=str(directory),
            hint="Run `fission certs --node ADDRESS` to make them",
        )
    show(out, _table(entries, now))
    for path in written:
        out.print(Text(f"written: {path}"), soft_wrap=True)
    _advise(out, store, entries, written)
    _warn(err, entries, now)
    return 0


def _table(entries: Sequence[Entry], now: dt.datetime) -> Table:
    rows: list[Row] = []
    for entry in entries:
        state = entry.state(now)
        rows.append(
            (
                entry.what,
                entry.name,
                ", ".join(entry.addresses),
                f"{entry.not_after:%Y-%m-%d}" if entry.not_after else "",
                "" if state is State.BROKEN else str(entry.days_left(now)),
                Text(state, style=_STYLES.get(state, "red")),
            )
        )
    return table(("certificate", "name", "addresses", "expires", "days", "state"), rows, numbers=("days",))


def _advise(out: Console, store: CertificateStore, entries: Sequence[Entry], written: Sequence[Path]) -> None:
    """Print the next steps for the written files."""
    if any(path.parent == store.nodes for path in written):
        out.print(
            Text(
                f"next: copy each folder in {store.nodes} to its node; keep {store.authority}/ca.key on this machine"
            ),
            soft_wrap=True,
        )
    elif written and not any(entry.what == "node" for entry in entries):
        out.print(
            Text("next: name the nodes, as in `fission certs --node 192.168.4.2 --node 192.168.4.3`"),
            soft_wrap=True,
        )


def _warn(err: Console, entries: Sequence[Entry], now: dt.datetime) -> None:
    for entry in entries:
        state = entry.state(now)
        if state is State.VALID:
            continue
        if state is State.BROKEN:
            text = entry.problem
        elif state is State.EARLY:
            text = f"{entry.folder}: the certificate is not valid yet. Is the clock of this machine correct?"
        else:
            when = "has expired" if state is State.EXPIRED else f"expires {in_days(entry.days_left(now))}"
            whose = "authority's certificate" if entry.what == AUTHORITY else "certificate"
            text = f"{entry.folder}: the {whose} {when}. Run `fission certs --renew`"
        err.print(Text(f"warning: {text}", style="yellow" if err.is_terminal else ""), soft_wrap=True)
