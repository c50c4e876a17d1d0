"""A program `ssh` that runs commands on this machine, and others that a device has."""

import os
from pathlib import Path

import pytest

_SSH = """#!/bin/sh
while [ "$1" != -- ]; do
  [ "$1" = -O ] && exit 0
  shift
done
host=$2; shift 2
case $host in
  away) echo "ssh: connect to host away port 22: Connection timed out" >&2; exit 255 ;;
  locked) echo "locked: Permission denied (publickey)." >&2; exit 255 ;;
  stranger) echo "Host key verification failed." >&2; exit 255 ;;
  bare) echo "sh: 1: python3: not found" >&2; exit 127 ;;
  old) echo "Welcome"; echo '{"old": "3.9"}'; exit 0 ;;
  mute) exit 0 ;;
esac
export SSH_CONNECTION="127.0.0.1 5 127.0.0.1 22"
exec sh -c "$*"
"""
_SUDO = """#!/bin/sh
case $1 in
  -n) shift ;;
  -S) shift 3; read -r password; [ "$password" = right ] || { echo "sudo: no" >&2; exit 1; } ;;
esac
exec "$@"
"""
_SYSTEMCTL = """#!/bin/sh
echo "$*" >> "$(dirname "$0")/systemctl.log"
[ "$1" != is-active ]
"""


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the programs; `systemctl.log` there has the calls of systemctl."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("ssh", _SSH), ("sudo", _SUDO), ("systemctl", _SYSTEMCTL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder
