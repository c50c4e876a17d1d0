"""Pipes, groups and nodes that break a rule."""

from fission.core.jobs import PythonJob, SourceJob
from fission.core.nodes import BaseNode, MultiNode
from fission.core.pipes import ArrayPipe, BasePipe, OptionalPicklePipe, PicklePipe

from .cases import Join, Restricted, Sink, case, chain, grouped, problems, with_attributes


@case("E301")
def _():
    there, back = PicklePipe(1), PicklePipe(2)
    found = problems([Join([there], [back], name="left"), Join([back], [there], name="right")])
    return found, "left", "left -> right -> left wait for each other for ever"


@case("E301")
def _():
    pipes = [PicklePipe(n) for n in range(5)]
    loop = [
        Join([pipes[3], pipes[0]], [pipes[1]]),
        Join([pipes[1]], [pipes[2]]),
        Join([pipes[2]], [pipes[3], pipes[4]]),
    ]
    found = problems([SourceJob(outputs=[pipes[0]]), *loop, Sink([pipes[4]])])
    return found, "Join 2", "Join 2 -> Join 3 -> Join 4 -> Join 2"


class ForgetsUnpacked(PicklePipe):
    def unpack(self, data: object) -> None:
        """Convert it, and forget to return it."""
        str(data)


@case("W324")
def _():
    found = problems(chain(ForgetsUnpacked(1)))
    return (
        found,
        "pipe 1 (ForgetsUnpacked)",
        "unpack of ForgetsUnpacked returns nothing, so that every value becomes None",
    )


class Ruled(PicklePipe):
    SOURCE_JOBS = SourceJob  # type: ignore[assignment]


class Empty(PythonJob):
    def run(self) -> object:
        return 1


@case("E302")
def _():
    return (
        problems(chain(Restricted(3), source=Empty())),
        "pipe 3 (Restricted)",
        "Empty 1 is none of its SOURCE_JOBS: SourceJob",
    )


@case("E302")
def _():
    found = problems(chain(Restricted(3), sink=Join()))
    return found, "pipe 3 (Restricted)", "Join 2 is none of its DESTINATION_JOBS: Sink and CSVSinkJob"


@case("E302")
def _():
    return (
        problems(chain(Ruled(3))),
        "pipe 3 (Ruled)",
        "SOURCE_JOBS: expected a list of job classes, found the class",
    )


class Five(PicklePipe):
    BLOCK_COUNT = 5


class FiveLive(Five):
    DELIVERY = "live"


@case("W303")
def _():
    short, long, slow = PicklePipe(1), Five(2), PicklePipe(3)
    found = problems([SourceJob(outputs=[short, long]), Join([long], [slow]), Sink2([short, slow])])
    return (
        found,
        "Sink2 3",
        "receives 1/5 blocks of pipe 3 (PicklePipe) for each round that its other inputs allow, and takes 1",
    )


class Sink2(PythonJob):
    def run(self, one: object, two: object) -> None:
        """Take two values."""


PIPE_CASES: list[tuple[str, type[BasePipe], dict[str, list[object]]]] = [
    ("E311", PicklePipe, {"BLOCK_COUNT": [0, -1, 1.0, True, None, "5"]}),
    ("E312", PicklePipe, {"BLOCK_SIZE": [0, -1, 1.5, True, None, ""]}),
    ("E313", BasePipe, {"BLOCK_SIZE": ["lines"]}),
    ("E314", PicklePipe, {"ASYNC": [None, 1, "yes"]}),
    ("E315", PicklePipe, {"DELIVERY": [None, "Exact", "fast", 1]}),
    ("E316", PicklePipe, {"DEADLINE": [-1, "1s", True, float("inf"), float("nan")]}),
    ("E317", PicklePipe, {"RETAIN": [0, 1.5, None, "16 MiB"]}),
    ("E318", ArrayPipe, {"DTYPE": ["no such", object, "U", 5]}),
    ("E319", ArrayPipe, {"SHAPE": ["34", (-1,), 2.5, (1.5,)]}),
    ("E321", OptionalPicklePipe, {"OPTIONAL_STORE": [None, 1]}),
    ("E322", OptionalPicklePipe, {"OPTIONAL_BUFFER_SIZE": [-1, None, 2.0]}),
    ("E323", OptionalPicklePipe, {"OPTIONAL_DELETE_MODE": [None, "both"]}),
]


for rule, kind, settings in PIPE_CASES:
    for setting, values in settings.items():
        for value in values:

            @case(rule)
            def _(kind: type[BasePipe] = kind, setting: str = setting, value: object = value):
                pipe = with_attributes(kind, **{setting: value, "DELIVERY": "live"} | {setting: value})(9)
                return problems(chain(pipe)), f"pipe 9 ({kind.__name__})", setting


@case("W316")
def _():
    return (
        problems(chain(with_attributes(PicklePipe, DEADLINE=0.1)(9))),
        "pipe 9 (PicklePipe)",
        "DEADLINE has no effect",
    )


@case("E401")
def _():
    found = problems(grouped("MIC"), [BaseNode("10.0.0.1", "MICS")])
    assert found[0].hint == "Did you mean 'MICS'?"
    return found, "Sink 2", "no node is in group 'MIC', so none may run it"


@case("E401")
def _():
    found = problems(grouped("FAST", "MIC"), [BaseNode("10.0.0.1")])
    assert found[0].hint == "The nodes have ALL and LOCAL"
    return found, "Sink 2", "no node is in groups 'FAST' and 'MIC'"


@case("W401")
def _():
    return problems(grouped("MIC", "ALL"), [BaseNode("10.0.0.1")]), "Sink 2", "no node is in group 'MIC'"


@case("W401")
def _():
    return problems(grouped("MIC")), "Sink 2", "no node is in group 'MIC': NODES is empty"


for value in (None, 5, "", ("ALL", 5), ["ALL", ""], {"ALL"}):

    @case("E402")
    def _(value: object = value):
        return problems(grouped(value)), "Sink 2", "GROUPS: expected the name of a group or a list of them"


@case("E403")
def _():
    return problems(grouped([])), "Sink 2", "GROUPS is empty and there is no DEFAULT_NODE"


for value in (5, "", "192.168.4.300", "192.168.4.*", True):

    @case("E404")
    def _(value: object = value):
        return problems(grouped("ALL", node=value))[:1], "Sink 2", "DEFAULT_NODE: expected an address or None"


@case("W404")
def _():
    found = problems(grouped("ALL", node="10.0.0.2"), [BaseNode("10.0.0.1")])
    assert found[0].hint == "Did you mean '10.0.0.1'?"
    return found, "Sink 2", "DEFAULT_NODE 10.0.0.2 is not in NODES"


for node, name, hint in (
    ("10.0.0.300", "node 10.0.0.300", ""),
    ("10.0.0.*", "node 10.0.0.*", 'A pattern needs a MultiNode: MultiNode("10.0.0.*")'),
    ("10.0.0.1:22", "node 10.0.0.1:22", "Only the address, without a port"),
    ("two words", "node two words", ""),
):

    @case("E405")
    def _(node: str = node, name: str = name, hint: str = hint):
        found = problems(chain(PicklePipe(1)), [BaseNode(node)])
        assert found[0].hint == hint
        return found, name, "expected an IP address or a host name"


@case("E405")
def _():
    found = problems(chain(PicklePipe(1)), [MultiNode("10.0.300.*", name="all")])
    return found, "node all", "expected a pattern such as 192.168.4.*, found '10.0.300.*'"
