"""What is sent to a device: a program for its Python, an order for that program, and a payload."""

import json
import string
from importlib import resources
from typing import Any, Final

_DEVICE = resources.files("fission.deployment") / "device"

PYTHON: Final = (3, 11)
"""The oldest Python that FISSION runs on."""

BOOT: Final = (
    "import sys\n"
    f"if sys.version_info < {PYTHON}:\n"
    '    print(\'{"old": "%d.%d"}\' % sys.version_info[:2]); sys.exit(0)\n'
    "s = sys.stdin.buffer\n"
    "while True:\n"  # sudo leaves the password there when it does not ask for one
    "    line = s.readline()\n"
    "    if not line: sys.exit(1)\n"
    "    if line.startswith(b'FISSION '): break\n"
    "import json\n"
    "code, order = map(int, line.split()[1:])\n"
    "code = compile(s.read(code), 'agent.py', 'exec'); ORDER = json.loads(s.read(order)); PAYLOAD = s.read()\n"
    "exec(code)\n"
)
"""The program on the command line, which reads the real one from stdin."""


def device_file(name: str) -> str:
    """Return the text of a file that goes to devices."""
    return (_DEVICE / name).read_text(encoding="utf-8")


def layout() -> dict[str, Any]:
    """Return the account and the paths on a device."""
    found: dict[str, Any] = json.loads(device_file("layout.json"))
    return found


def message(order: dict[str, Any], payload: bytes = b"") -> bytes:
    """Return what BOOT reads: the program, the order (with the layout) and the payload."""
    code, text = device_file("agent.py").encode(), json.dumps({**layout(), **order}).encode()
    return b"FISSION %d %d\n" % (len(code), len(text)) + code + text + payload


def node_settings(*, address: str, port: int, name: str, groups: tuple[str, ...]) -> str:
    """Return the node.toml of a device."""
    paths = layout()
    return string.Template(device_file("node.toml")).substitute(
        serve_ip=address,
        fission_port=port,
        fission_name=name,
        fission_config_dir=paths["config"],
        fission_state_dir=paths["state"],
        fission_log_level="INFO",
        fission_more=f"groups = {json.dumps(groups)}\n" if groups else "",
    )
