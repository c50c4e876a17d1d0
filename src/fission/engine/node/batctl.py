"""Transmit quality (TQ) of the links of this machine, as `batctl` reports it for B.A.T.M.A.N.-adv.

batctl 2021.1 and later print the table of originators as JSON; older ones print text, of two kinds. Both name
the other devices by the MAC address of their mesh interface, so an IP address is translated first (also by
batctl). B.A.T.M.A.N. V has throughputs instead of TQ, so its tables are not used here.

Source: README.rst and man page of batctl (https://git.open-mesh.org/batctl.git).
"""

import logging
import re
import shutil
import subprocess
import time
from collections.abc import Iterable

from fission.serialization import json_codec

_log = logging.getLogger(__name__)

BEST_TQ = 255
"""The TQ of a perfect link; also assumed for an unknown link."""

_MAC = r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}"
_ROW = re.compile(rf"^\s*(\*?)\s*({_MAC})\s+[\d.]+s\s+\(\s*(\d{{1,3}})\)", re.IGNORECASE | re.MULTILINE)
_ONLY_MAC = re.compile(rf"\s*({_MAC})\s*", re.IGNORECASE)


class Batctl:
    """Queries batctl, and logs a problem only when its reason changes.

    Everything here blocks for up to `timeout` seconds, so an event loop calls it in a thread. A call never
    raises: without batctl, without a mesh or without the right to ask it, every link is perfect (255).
    """

    def __init__(self, command: str = "batctl", *, timeout: float = 3.0) -> None:
        self._command = command
        self._timeout = timeout
        self._macs: dict[str, str] = {}
        self._complaint = ""

    def qualities(self, addresses: Iterable[str]) -> dict[str, int]:
        """Tell the TQ (0 to 255) from this machine to each of `addresses`; 255 where it is unknown."""
        wanted = list(addresses)
        deadline = time.monotonic() + self._timeout
        try:
            table = self._originators(deadline)
        except _BatctlError as error:
            self._complain(str(error))
            return dict.fromkeys(wanted, BEST_TQ)
        self._complaint = ""
        return {address: self._quality(table, address, deadline) for address in wanted}

    def problem(self) -> str:
        """Return why the qualities cannot be read; "" if they can."""
        try:
            self._originators(time.monotonic() + self._timeout)
        except _BatctlError as error:
            return str(error)
        return ""

    def _quality(self, table: dict[str, int], address: str, deadline: float) -> int:
        tq = table.get(self._translate(address, deadline))
        if tq is None:
            self._macs.pop(address, None)  # perhaps another device has this address now
            return BEST_TQ
        return tq

    def _originators(self, deadline: float) -> dict[str, int]:
        try:
            return parse_json(self._run(deadline, "originators_json"))
        except (_BatctlError, ValueError):
            return parse_text(self._run(deadline, "originators", "-n"))

    def _translate(self, address: str, deadline: float) -> str:
        """Find the MAC address of the originator behind an IP address; empty if the mesh does not know it."""
        if address not in self._macs:
            try:
                found = _ONLY_MAC.fullmatch(self._run(deadline, "translate", address))
            except _BatctlError:
                return ""
            if found is None:
                return ""
            self._macs[address] = found[1].lower()
        return self._macs[address]

    def _run(self, deadline: float, *arguments: str) -> str:
        program = shutil.which(self._command)
        if program is None:
            raise _BatctlError(f"{self._command} is not installed")
        left = deadline - time.monotonic()
        late = f"{self._command} took longer than {self._timeout} s"
        if left <= 0:
            raise _BatctlError(late)
        try:
            done = subprocess.run(  # noqa: S603 - no shell; the addresses come from the network's own config
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=left,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _BatctlError(late) from None
        except OSError as error:
            raise _BatctlError(f"{program} cannot be started: {error.strerror}") from None
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()
            reason = said[0] if said else f"exit code {done.returncode}"
            raise _BatctlError(f"{program} {arguments[0]} failed: {reason}")
        return done.stdout

    def _complain(self, reason: str) -> None:
        if reason != self._complaint:
            self._complaint = reason
            _log.debug("no transmit qualities, every link counts as perfect: %s", reason)


class _BatctlError(Exception):
    """Batctl gave no answer; the text says why."""


def parse_json(text: str) -> dict[str, int]:
    """TQ by MAC address of the originator, from `batctl originators_json`.

    Only the best route to each originator counts. Raises ValueError when `text` is no such table.
    """
    rows = json_codec.decode(text)
    if not isinstance(rows, list):
        raise ValueError("no table of originators")
    found: list[tuple[bool, str, int]] = []
    for row in rows:
        if not isinstance(row, dict):
            raise ValueError("no table of originators")
        mac, tq = row.get("orig_address"), row.get("tq")
        if isinstance(mac, str) and isinstance(tq, int):
            found.append((row.get("best") is True, mac, tq))
    return _best(found)


def parse_text(text: str) -> dict[str, int]:
    """TQ by MAC address of the originator, from `batctl originators -n`; empty when there are none.

    Until 2016 each originator had one line, with the best route first; now each route has a line, and a star
    marks the best.
    """
    return _best([(star == "*", mac, int(tq)) for star, mac, tq in _ROW.findall(text)])


def _best(rows: list[tuple[bool, str, int]]) -> dict[str, int]:
    """Of all routes (is the best one, MAC address, TQ), those that are used."""
    marked = any(best for best, _, _ in rows)
    table: dict[str, int] = {}
    for best, mac, tq in rows:
        if (best or not marked) and 0 <= tq <= BEST_TQ:
            table[mac.lower()] = max(tq, table.get(mac.lower(), 0))
    return table
