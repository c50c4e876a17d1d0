"""`nodes`: the nodes of a running network, with origin and jobs."""

import json

from api.networks import sums

from fission import run
from fission.management.commands.cluster.nodes import with_jobs


def test_jobs_of_a_node() -> None:
    network = {"jobs": [{"name": "a", "node": "1"}, {"name": "b", "node": "2"}, {"name": "c", "node": "1"}]}
    assert with_jobs({"address": "1"}, network) == {"address": "1", "jobs": ["a", "c"]}
    assert with_jobs({"address": "3"}, network)["jobs"] == []


def test_the_origin_is_told() -> None:
    with run(sums(10**9), embedded=1, quiet=True) as handle:
        view = json.loads(json.dumps(handle.status().plain()))
    assert [node["origin"] for node in view["nodes"]] == ["embedded"]
