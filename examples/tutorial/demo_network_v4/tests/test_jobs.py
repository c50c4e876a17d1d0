"""Tests of this network: python3 manage.py demo_network_v4 test

`fission_cfg_jobs(n)` starts the job JOBS[n] of config.py in a process of its own. A call is one round.
"""

import pytest

from fission.emulate import emulate
from fission.errors import JobFailed

JOIN, REDUCE = 4, 5


def test_the_join_multiplies_until_somebody_types(fission_cfg_jobs):
    join = fission_cfg_jobs(JOIN)
    assert join(1, 2, 3, None) == [6, "*", 6]  # None: nothing has come on the optional pipe


def test_an_operator_stays_in_use(fission_cfg_jobs):
    join = fission_cfg_jobs(JOIN)
    assert join(2, 4, 6, "+") == [12, "+", 12]
    assert join(3, 6, 9, None) == [18, "+", 18]
    assert join(4, 8, 12, "-") == [-16, "-", -16]


def test_an_operator_that_does_not_exist(fission_cfg_jobs):
    with pytest.raises(JobFailed, match="KeyError"):
        fission_cfg_jobs(JOIN)(1, 2, 3, "/")


def test_the_sum_of_five(fission_cfg_jobs, capfd):
    assert fission_cfg_jobs(REDUCE)([6, 48, 162, 384, 750]) == [1350]
    assert "Sum over [6, 48, 162, 384, 750] is 1350" in capfd.readouterr().out


@pytest.mark.parametrize("typed", ["+", " * ", "-"])
def test_what_is_typed_becomes_an_operator(fission_cfg, typed):
    assert fission_cfg.JOBS[0].convert(typed) == typed.strip()


def test_what_is_no_operator_is_refused(fission_cfg):
    with pytest.raises(ValueError, match="there is no operator '/'"):
        fission_cfg.JOBS[0].convert("/")


def test_the_operators_pipe(fission_cfg):
    packed, wire, read, unpacked = emulate(fission_cfg.JOBS[0].outputs[0])("+")
    assert (packed, read, unpacked) == ("+", "+", "+")
    assert b"+" in wire
