"""config.py becomes a network, and everything that is wrong with it is told."""

import json
import re
import sys
from pathlib import Path

import numpy
import pytest

from fission.core import base
from fission.core.nodes import MultiNode
from fission.errors import ConfigError, ProjectError
from fission.project.load import find_network, load_network, networks_of
from fission.project.scaffold import start_network, start_project
from fission.project.settings import NAMES

from .conftest import CONFIG, JOBS, Load

OWN_NAMES = """
SOURCES = 3
_PRIVATE = 1
other = 2
"""


def test_a_sound_network(load: Load, root: Path) -> None:
    network, problems = load()
    assert problems == ()
    assert network.name == "demo"
    assert network.folder == str(root / "demo")
    assert [job.name for job in network.jobs] == ["SourceJob 1", "SinkJob 2"]
    assert [(edge.source, edge.pipe.id, edge.destination) for edge in network.edges] == [(1, 101, 2)]


def test_the_new_networks_config_only_lacks_jobs(root: Path) -> None:
    network, problems = load_network(root, "demo")
    assert [problem.id for problem in problems] == ["E004"]
    assert network.settings.user == "pi"
    assert network.settings.remote_root == "/home/pi/fission/"
    assert network.settings.pulse_interval == 0.1


def test_every_setting_of_the_spec_is_in_the_template(root: Path) -> None:
    text = (root / "demo/config.py").read_text()
    assert {name for name in NAMES if re.search(rf"^{name} = ", text, re.MULTILINE)} == NAMES


def test_settings_are_read(load: Load) -> None:
    network, problems = load("LOG_LEVEL = 'debug'\nHEAD_SIZE = 2\nCLIENT_IP = '10.0.0.1'\nPRE_COPY = True")
    assert problems == ()
    settings = network.settings
    assert (settings.log_level, settings.head_size, settings.client_ip) == ("DEBUG", 2, "10.0.0.1")
    assert settings.pre_copy


def test_jobs_are_numbered_in_the_order_of_jobs(load: Load) -> None:
    network, problems = load("JOBS.reverse()")
    assert problems == ()
    assert [job.name for job in network.jobs] == ["SinkJob 1", "SourceJob 2"]


def test_what_changed_on_disk_counts_when_loaded_again(load: Load) -> None:
    first, _ = load()
    second, problems = load(jobs=JOBS.replace("yield 1", "yield 2"))
    assert problems == ()
    assert second.jobs[0] is not first.jobs[0]
    assert next(second.jobs[0].run()) == 2  # type: ignore[attr-defined]
    assert {1: second.jobs[0], 2: second.jobs[1]} == base.JOBS


def test_two_projects_in_one_process(load: Load, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = start_project(tmp_path / "other", "house")
    start_network(other, "demo")
    load()
    network, problems = load_network(other, "demo")
    assert [problem.id for problem in problems] == ["E004"]
    assert network.folder == str(other / "demo")
    assert sys.path[0] == str(other)


def test_modules_of_shared_are_loaded_again(load: Load, root: Path) -> None:
    config = "from shared.jobs.jobs import value\nJOBS = [value]"
    (root / "shared/jobs/jobs.py").write_text("value = 1")
    assert "JOBS[0]" in load(config=config)[1][0].where
    (root / "shared/jobs/jobs.py").write_text("value = 22")
    assert load(config=config)[1][0].message.startswith("22 is not a job")


def test_installed_modules_stay(load: Load, root: Path) -> None:
    (root / "json").mkdir()
    (root / "numpy").mkdir()
    load()
    assert sys.modules["json"] is json
    assert sys.modules["numpy"] is numpy


# -- which network -------------------------------------------------------------------------------------------


def test_a_name_that_the_shell_completed(root: Path) -> None:
    assert find_network(root, "demo/") == root / "demo"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("dmeo", "there is no such network; expected a folder in .*Did you mean 'demo'"),
        ("walrus", "Create it first: fission new network walrus"),
        ("shared", "it holds what networks share"),
        ("half", "there is no config.py in this folder"),
        ("../greenhouse", "there is no such network"),
        ("", "there is no such network"),
        (".", "there is no such network"),
        ("demo/jobs", "there is no such network"),
    ],
)
def test_no_such_network(root: Path, name: str, text: str) -> None:
    (root / "half").mkdir()
    with pytest.raises(ProjectError, match=text) as caught:
        load_network(root, name)
    assert caught.value.exit_code == 2


def test_the_networks_that_there_are(root: Path) -> None:
    start_network(root, "another")
    assert networks_of(root) == ["another", "demo"]
    with pytest.raises(ProjectError, match="There are another and demo"):
        find_network(root, "walrus")


# -- config.py that cannot be imported -----------------------------------------------------------------------


def failure(load: Load, **files: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(**files)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return caught.value


def notes(error: BaseException) -> str:
    return "".join(getattr(error, "__notes__", ()))


def test_a_syntax_error(load: Load) -> None:
    error = failure(load, config="JOBS = [\n")
    assert str(error) == "demo/config.py:1: this is not valid Python: '[' was never closed; found 'JOBS = ['"
    assert not notes(error)


def test_a_syntax_error_in_a_job(load: Load) -> None:
    error = failure(load, jobs="class SourceJob\n    pass")
    assert str(error).startswith("demo/jobs/jobs.py:1: this is not valid Python: expected ':'")


def test_indentation(load: Load) -> None:
    error = failure(load, jobs="def f():\nreturn 1")
    assert str(error).startswith("demo/jobs/jobs.py:2: this is not valid Python: expected an indented block")


def test_a_file_that_is_no_text(load: Load, root: Path) -> None:
    load()
    (root / "demo/config.py").write_bytes(b"JOBS = ['\xff']")
    with pytest.raises(ConfigError, match=r"demo/config\.py:\d+: this is not valid Python: .*utf-8"):
        load_network(root, "demo")


def test_an_import_error_has_the_users_traceback(load: Load) -> None:
    error = failure(load, jobs="import nonsense_module\n" + JOBS)
    assert str(error) == (
        "demo/jobs/jobs.py:1: ModuleNotFoundError: No module named 'nonsense_module'. "
        "Is nonsense_module installed in this environment?"
    )
    trace = notes(error)
    assert re.findall(r'File ".*?/greenhouse/(.*?)", line (\d+)', trace) == [
        ("demo/config.py", "3"),
        ("demo/jobs/jobs.py", "1"),
    ]
    assert "importlib" not in trace
    assert "fission/project" not in trace


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("from demo.jobs.jobs import SorceJob", "Did you mean: 'SourceJob'|Did you mean 'SourceJob'"),
        ("from demo.jobs.jobs import Walrus", "There are SourceJob and SinkJob"),
        ("from demo.nodes.nodes import Walrus", "There is nothing in demo.nodes.nodes yet"),
        ("from demo.job.jobs import SourceJob", "No module named 'demo.job'. Did you mean 'jobs'?"),
        ("from dmeo.jobs.jobs import SourceJob", "No module named 'dmeo'. Did you mean 'demo'?"),
        ("import demo.walrus", "No module named 'demo.walrus'$"),
    ],
)
def test_hints_to_imports(load: Load, line: str, text: str) -> None:
    error = failure(load, config=line)
    assert re.search(text, str(error))
    assert str(error).startswith("demo/config.py:1: ")


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ("from demo.jobs.jobs import SourceJob\nSourceJob(output=[])", "Did you mean:? 'outputs'"),
        (
            "from fission.core.pipes import BytesPipe\nBytesPipe(1, blocksize=2)",
            "Did you mean:? 'block_size'",
        ),
        ("from fission.core.nodes import BaseNode\nBaseNode('a', nmae='b')", "Did you mean:? 'name'"),
        ("def own(first): pass\nown(frist=1)", "Did you mean:? 'first'"),
        ("print(1, walrus=2)", "TypeError: .*walrus"),
    ],
)
def test_hints_to_arguments(load: Load, lines: str, text: str) -> None:
    error = failure(load, config=lines)
    assert re.search(text, str(error))


def test_an_exception_in_a_job(load: Load) -> None:
    jobs = (
        JOBS
        + "\n    def __init__(self, **pipes):\n        super().__init__(**pipes)\n        open('talk.wav')\n"
    )
    error = failure(load, jobs=jobs)
    assert str(error).startswith("demo/jobs/jobs.py:14: FileNotFoundError: ")
    assert "talk.wav" in str(error)
    assert notes(error).count("File ") == 2


def test_frames_of_libraries_are_cut_also_of_causes(load: Load) -> None:
    error = failure(
        load,
        config="""
import json
try:
    json.loads("{")
except ValueError as error:
    raise RuntimeError("no recording\\nsecond line") from error
""",
    )
    assert str(error) == "demo/config.py:6: RuntimeError: no recording"
    assert notes(error).count("File ") == 2
    assert "direct cause" in notes(error)
    assert "json/decoder" not in notes(error)


def test_an_exception_group(load: Load) -> None:
    error = failure(load, config="raise ExceptionGroup('both', [ValueError(1), TypeError(2)])")
    assert str(error) == "demo/config.py:1: ExceptionGroup: both (2 sub-exceptions)"
    assert "TypeError: 2" in notes(error)


def test_sys_exit(load: Load) -> None:
    error = failure(load, config="import sys\nsys.exit(3)")
    assert str(error) == "demo/config.py:2: SystemExit: 3. config.py must not exit"


def test_ctrl_c_comes_through(load: Load) -> None:
    with pytest.raises(KeyboardInterrupt):
        load(config="raise KeyboardInterrupt")


def test_our_own_errors_get_the_users_line_and_no_traceback(load: Load) -> None:
    error = failure(load, config=CONFIG + "\nfrom fission.core.pipes import JSONPipe\nJSONPipe(101)\n")
    assert str(error).startswith("demo/config.py:8: pipe 101: the id is taken; expected PicklePipe")
    assert not notes(error)


def test_our_own_errors_from_deeper_show_the_way(load: Load) -> None:
    jobs = JOBS.replace(
        "    def run(self, value)",
        "    def __init__(self, inputs):\n        super().__init__(inputs=inputs[0])\n    def run(self, value)",
    )
    error = failure(load, jobs=jobs)
    assert str(error).startswith("demo/jobs/jobs.py:10: SinkJob, inputs: wrong type")
    assert 'demo/config.py", line 5' in notes(error)


# -- settings ------------------------------------------------------------------------------------------------


def test_all_problems_at_once(load: Load) -> None:
    _, problems = load("PULSE_INTERVALL = 1\nHEAD_SIZE = 9\nUSER = 3\nNODES = [5]\nPicklePipe(102)\n")
    assert [problem.id for problem in problems] == ["E002", "E003", "E003", "E005"]
    assert problems[0].where == "demo/config.py:6, PULSE_INTERVALL"
    assert problems[0].hint == "Did you mean 'PULSE_INTERVAL'?"
    assert problems[1].message == "expected the name of the user on the nodes, found the int 3"
    assert problems[2].where == "demo/config.py:7, HEAD_SIZE"


def test_problems_of_settings_and_structure_come_together(load: Load) -> None:
    _, problems = load("HEAD_SIZE = 0\nJOBS[1].inputs.append(PicklePipe(7))\n")
    assert [problem.id for problem in problems] == ["E003", "E111"]


def test_names_of_the_users_own(load: Load) -> None:
    _, problems = load(OWN_NAMES + "import math as MATH\nclass ABC: X = 1\ndef F(): Y = 2\n")
    assert [problem.where for problem in problems] == ["demo/config.py:7, SOURCES"]
    assert problems[0].hint == "Names of your own: sources or _SOURCES"


def test_names_in_loops_functions_and_comprehensions(load: Load) -> None:
    _, problems = load("for INDEX in range(2): pass\nx = [Q for Q in range(3)]\ny = lambda: (Z := 1)\n")
    assert [problem.where for problem in problems] == ["demo/config.py:6, INDEX"]


def test_settings_may_be_imported(load: Load, root: Path) -> None:
    (root / "shared/common.py").write_text("USER = 5\nFS = 16000")
    _, problems = load("from shared.common import *")
    assert [(problem.id, problem.where) for problem in problems] == [("E003", "demo/config.py, USER")]


@pytest.mark.parametrize(
    ("config", "message", "hint"),
    [
        ("", "there is no JOBS", "Write JOBS"),
        ("JOBS = []", "there are no jobs", "Put jobs into JOBS"),
        ("JOBS = None", "expected a list of jobs, found None", ""),
        (CONFIG + "JOBS = JOBS[0]", "expected a list of jobs, found a SourceJob", "Put it in a list"),
        (CONFIG + "JOBS = {1: JOBS[0]}", "expected a list of jobs, found ", ""),
    ],
)
def test_no_jobs(load: Load, config: str, message: str, hint: str) -> None:
    network, problems = load(config=config)
    assert network.jobs == ()
    assert problems[0].id == "E004"
    assert problems[0].message.startswith(message)
    assert problems[0].hint.startswith(hint)


def test_a_forgotten_job(load: Load) -> None:
    network, problems = load("SinkJob()")
    assert len(network.jobs) == 2
    assert [(problem.id, problem.level) for problem in problems] == [("W006", "warning")]
    assert problems[0].message == "a SinkJob was created that is not in JOBS"


# -- NODES ---------------------------------------------------------------------------------------------------


def test_nodes_and_csv_files(load: Load, root: Path) -> None:
    (root / "demo/nodes.csv").write_text(
        "name, ip, groups\n# the greenhouse\nleft, 192.168.4.2, MICS , FAST\n\nall, 192.168.5.*\n"
    )
    (root / "more.csv").write_text('\ufeffright,192.168.4.3,"MICS"\n', encoding="utf-8")
    network, problems = load(
        "from fission.core.nodes import BaseNode, MultiNode\n"
        "from pathlib import Path\n"
        "NODES = [BaseNode('192.168.4.9'), MultiNode('10.0.0.*'), 'nodes.csv', Path('more.csv')]\n"
    )
    assert problems == ()
    assert [(node.ip, node.name) for node in network.nodes] == [
        ("192.168.4.9", "192.168.4.9"),
        ("10.0.0.*", "10.0.0.*"),
        ("192.168.4.2", "left"),
        ("192.168.5.*", "all"),
        ("192.168.4.3", "right"),
    ]
    assert {"MICS", "FAST"} <= set(network.nodes[2].groups)
    assert isinstance(network.nodes[3], MultiNode)


def test_nodes_may_be_one_path_or_none(load: Load, root: Path) -> None:
    (root / "nodes.csv").write_text("left,192.168.4.2\n")
    assert [node.ip for node in load("NODES = 'nodes.csv'")[0].nodes] == ["192.168.4.2"]
    network, problems = load("NODES = None")
    assert (network.nodes, problems) == ((), ())


@pytest.mark.parametrize(
    ("nodes", "message", "hint"),
    [
        ("5", "expected a list of nodes and paths", ""),
        ("BaseNode('10.0.0.1')", "expected a list of nodes", "Put it in a list"),
        ("[5]", "expected a node or the path of a CSV file, found the int 5", ""),
        ("['']", "expected a node or the path of a CSV file, found the str ''", ""),
        (
            "[BaseNode]",
            "expected a node or the path of a CSV file, found the class BaseNode",
            "Call the class with an address",
        ),
        ("['10.0.0.1']", "expected the path of a CSV file, found no file", 'BaseNode("10.0.0.1")'),
        ("['nowhere.csv']", "expected the path of a CSV file, found no file", ""),
        ("'demo'", "expected the path of a CSV file, found no file", ""),
        ("['binary.csv']", "expected a CSV file that can be read, found", ""),
        ("['bad.csv']", "expected name, address, and any number of groups, found 'lonely'", ""),
    ],
)
def test_wrong_nodes(load: Load, root: Path, nodes: str, message: str, hint: str) -> None:
    (root / "binary.csv").write_bytes(b"\xff\xfe\x00")
    (root / "bad.csv").write_text("left,10.0.0.9\nlonely\n")
    _, problems = load(f"from fission.core.nodes import BaseNode\nNODES = {nodes}\n")
    assert [problem.id for problem in problems] == ["E005"]
    assert problems[0].where.startswith("demo/config.py:7, NODES")
    assert problems[0].message.startswith(message)
    assert hint in problems[0].hint


def test_a_row_is_named_by_its_line(load: Load, root: Path) -> None:
    (root / "bad.csv").write_text("left,10.0.0.9\n\n,,\nlonely\n")
    assert load("NODES = ['bad.csv']")[1][0].where == "demo/config.py:6, NODES[0], bad.csv:4"


def test_a_csv_file_without_permission(load: Load, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "nodes.csv").write_text("left,10.0.0.9\n")

    def refuse(*_args: object, **_more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("fission.project.nodes._rows", refuse)
    _, problems = load("NODES = ['nodes.csv']")
    assert problems[0].message.endswith("nodes.csv: Permission denied")
