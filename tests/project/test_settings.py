"""What each setting may be."""

from pathlib import Path

import pytest

from fission.core.network import Settings
from fission.project.settings import describe, read_settings

GOOD: list[tuple[str, object, str, object]] = [
    ("USER", "pi", "user", "pi"),
    ("REMOTE_ROOT", "/home/pi/fission/", "remote_root", "/home/pi/fission/"),
    ("REMOTE_ROOT", Path("/srv"), "remote_root", "/srv"),
    ("REMOTE_ROOT", "~/fission", "remote_root", "~/fission"),
    ("LOG_LEVEL", "INFO", "log_level", "INFO"),
    ("LOG_LEVEL", "warning", "log_level", "WARNING"),
    ("LOG_LEVEL", 10, "log_level", "DEBUG"),
    ("LOG_FILE", "FISSION.log", "log_file", "FISSION.log"),
    ("LOG_FILE", Path("/var/log/x"), "log_file", "/var/log/x"),
    ("CLIENT_IP", None, "client_ip", None),
    ("CLIENT_IP", "192.168.4.1", "client_ip", "192.168.4.1"),
    ("CLIENT_IP", "client.lan", "client_ip", "client.lan"),
    ("DEBUG_WINDOW", True, "debug_window", True),
    ("PRE_COPY", False, "pre_copy", False),
    ("PULSE_INTERVAL", 0.1, "pulse_interval", 0.1),
    ("PULSE_INTERVAL", 1000, "pulse_interval", 1000.0),
    ("HEAD_SIZE", 4, "head_size", 4),
    ("SECURITY", "off", "security", "off"),
    ("CERTS", Path("/etc/certs"), "certs", "/etc/certs"),
    ("NODE_PORT", 9000, "node_port", 9000),
    ("MAX_RESTARTS", 0, "max_restarts", 0),
    ("ALLOCATION_TIMEOUT", None, "allocation_timeout", None),
    ("ALLOCATION_TIMEOUT", 30, "allocation_timeout", 30.0),
    ("ORPHAN_TIMEOUT", 60, "orphan_timeout", 60.0),
    ("LINK_TIMEOUT", None, "link_timeout", None),
    ("LINK_TIMEOUT", 20, "link_timeout", 20.0),
    ("PROGRESS_TIMEOUT", None, "progress_timeout", None),
    ("PROGRESS_TIMEOUT", 5, "progress_timeout", 5.0),
    ("XML_FILE", None, "xml_file", None),
    ("XML_FILE", "", "xml_file", None),
    ("XML_ARGS", None, "xml_args", {}),
    ("XML_ARGS", {}, "xml_args", {}),
    ("XML_FILE", "network.xml", "xml_file", "network.xml"),
    ("XML_ARGS", {"ip": "address"}, "xml_args", {"ip": "address"}),
]

BAD: list[tuple[str, object]] = [
    ("SECURITY", "ssl"),
    ("SECURITY", False),
    ("CERTS", 3),
    ("NODE_PORT", 0),
    ("MAX_RESTARTS", -1),
    ("ALLOCATION_TIMEOUT", "soon"),
    ("ORPHAN_TIMEOUT", 0),
    ("PROGRESS_TIMEOUT", 0.5),
    ("LINK_TIMEOUT", 0),
    ("PROGRESS_TIMEOUT", "5"),
    ("USER", 3),
    ("USER", " "),
    ("REMOTE_ROOT", "fission"),
    ("REMOTE_ROOT", None),
    ("REMOTE_ROOT", ""),
    ("LOG_LEVEL", "LOUD"),
    ("LOG_LEVEL", True),
    ("LOG_LEVEL", 11),
    ("LOG_LEVEL", None),
    ("LOG_FILE", ""),
    ("LOG_FILE", None),
    ("CLIENT_IP", ""),
    ("CLIENT_IP", 5),
    ("CLIENT_IP", "192.168.4.300"),
    ("CLIENT_IP", "192.168.4.1:80"),
    ("DEBUG_WINDOW", "False"),
    ("DEBUG_WINDOW", 1),
    ("PRE_COPY", None),
    ("PULSE_INTERVAL", 0),
    ("PULSE_INTERVAL", 0.09),
    ("PULSE_INTERVAL", 1001),
    ("PULSE_INTERVAL", "1"),
    ("PULSE_INTERVAL", True),
    ("PULSE_INTERVAL", float("nan")),
    ("HEAD_SIZE", 0),
    ("HEAD_SIZE", 5),
    ("HEAD_SIZE", 1.0),
    ("HEAD_SIZE", True),
    ("XML_FILE", 3),
    ("XML_ARGS", "pi_id"),
    ("XML_ARGS", {"ipp": "pi_id"}),
    ("XML_ARGS", {"ip": 3}),
    ("XML_ARGS", {3: "ip"}),
]


@pytest.mark.parametrize(("name", "value", "field", "read"), GOOD)
def test_good_values(name: str, value: object, field: str, read: object) -> None:
    settings, mistakes = read_settings({name: value})
    assert mistakes == ()
    assert getattr(settings, field) == read
    assert type(getattr(settings, field)) is type(read)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad_values(name: str, value: object) -> None:
    settings, mistakes = read_settings({name: value})
    assert [mistake.name for mistake in mistakes] == [name]
    assert mistakes[0].expected
    assert mistakes[0].found
    assert settings == Settings()


def test_hints() -> None:
    _, mistakes = read_settings({"CLIENT_IP": "10.0.0.1:80", "REMOTE_ROOT": "x", "XML_ARGS": {"pipe": "x"}})
    assert {mistake.name: mistake.hint for mistake in mistakes} == {
        "CLIENT_IP": "Only the address, without a port",
        "REMOTE_ROOT": "Begin with / or ~: a relative path would depend on where the node service was started",
        "XML_ARGS": "There is no 'pipe'. Did you mean 'pipe_id'?",
    }
    assert "a dict with any of ip, executable, dependencies" in mistakes[-1].expected


class Strange:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (5, "the int 5"),
        ("x", "the str 'x'"),
        (int, "the class int"),
        (["x" * 99], "a list"),
        (object(), "a object"),
        (Strange(), "the Strange object"),
    ],
)
def test_what_was_found(value: object, text: str) -> None:
    assert describe(value) == text
