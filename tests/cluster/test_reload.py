"""Hot reload: the new code of a job is on trial until its first own round, and the old one goes on if it fails."""

import pytest
from cluster_networks import chain
from cluster_talk import Talk, of

from fission.cluster import (
    DrainRequested,
    EndNetwork,
    Instruction,
    JobExited,
    JobFailed,
    JobListening,
    JobNotStarted,
    JobProgress,
    JobReady,
    JobState,
    MoveRequested,
    NodeLost,
    ReloadFailed,
    ReloadRequested,
    RequestRefused,
    StartJob,
    StopJob,
    Tick,
    coordinator,
    job_lifecycle,
)
from fission.core.groups import LOCAL

MIDDLE = 2


@pytest.fixture
def talk() -> Talk:
    return Talk(chain()).start()


def reload(talk: Talk) -> StartJob:
    """Reload the job in the middle; return the order for its first start with the new code."""
    job = talk.made.jobs[MIDDLE]
    node, incarnation = str(job.node), job.incarnation
    (stop,) = of(StopJob, talk.say(ReloadRequested(MIDDLE)))
    assert (stop.node, stop.incarnation, stop.force) == (node, incarnation, False)
    (start,) = of(StartJob, talk.say(JobExited(node, MIDDLE, incarnation, -15)))
    assert (start.node, start.incarnation, start.resume) == (node, incarnation + 1, True)
    return start


def begins(talk: Talk, start: StartJob, round: int = 10) -> None:
    for event in (
        JobListening(start.node, MIDDLE, start.incarnation, "tcp:x:1"),
        JobReady(start.node, MIDDLE, start.incarnation, round),
    ):
        talk.say(event)


def continued(talk: Talk, out: list[Instruction]) -> StartJob:
    """Return the start that follows the failure, at once or with the next tick."""
    (start,) = of(StartJob, out) or of(StartJob, talk.say(Tick()))
    assert isinstance(start, StartJob)
    return start


def test_it_restarts_on_its_node_and_passes_with_its_first_own_round(talk: Talk) -> None:
    start = reload(talk)
    begins(talk, start)
    job = talk.made.jobs[MIDDLE]
    talk.say(JobProgress(start.node, MIDDLE, start.incarnation, 10))
    assert job.trial == start.incarnation  # it has repeated nothing of its own yet
    talk.say(JobProgress(start.node, MIDDLE, start.incarnation, 11))
    assert job.trial == 0
    out = talk.say(JobExited(start.node, MIDDLE, start.incarnation, -9))
    assert not of(ReloadFailed, out)  # a crash like any other


def failures(start: StartJob) -> list[list[object]]:
    who = (start.node, MIDDLE, start.incarnation)
    return [
        [JobNotStarted(*who, "no such module")],
        [JobExited(*who, 1)],
        [JobListening(*who, "tcp:x:1"), JobFailed(*who, 0, "loading", "SyntaxError"), JobExited(*who, 1)],
        [
            JobListening(*who, "tcp:x:1"),
            JobReady(*who, 10),
            JobFailed(*who, 11, "run", "AttributeError"),
            JobExited(*who, 1),
        ],
    ]


@pytest.mark.parametrize("way", range(4))
def test_a_failure_on_trial_brings_back_the_old_code_and_does_not_count(talk: Talk, way: int) -> None:
    for _ in range(6):  # more often than MAX_RESTARTS
        start = reload(talk)
        out: list[Instruction] = []
        for event in failures(start)[way]:
            out += talk.say(event)  # type: ignore[arg-type]
        (failed,) = of(ReloadFailed, out)
        assert failed.job == MIDDLE
        assert failed.message
        assert not of(EndNetwork, out)
        again = continued(talk, out)
        assert again.incarnation == start.incarnation + 1
        begins(talk, again)
        job = talk.made.jobs[MIDDLE]
        assert (job.state, job.trial) == (JobState.RUNNING, 0)


def test_the_old_code_may_crash_after_that_as_ever(talk: Talk) -> None:
    start = reload(talk)
    again = continued(talk, talk.say(JobExited(start.node, MIDDLE, start.incarnation, 1)))
    out = talk.say(JobExited(again.node, MIDDLE, again.incarnation, 1))
    assert not of(ReloadFailed, out)


def test_a_lost_node_leaves_the_next_start_on_trial(talk: Talk) -> None:
    start = reload(talk)
    begins(talk, start)
    (elsewhere,) = [
        one for one in of(StartJob, talk.say(NodeLost(start.node, "silent"))) if one.job == MIDDLE
    ]
    assert elsewhere.node != start.node
    out = talk.say(JobExited(elsewhere.node, MIDDLE, elsewhere.incarnation, 1))
    assert of(ReloadFailed, out)


def test_a_drained_node_hands_the_job_on(talk: Talk) -> None:
    node = str(talk.made.jobs[MIDDLE].node)
    talk.say(ReloadRequested(MIDDLE))
    talk.say(DrainRequested(node))
    (start,) = of(StartJob, talk.say(JobExited(node, MIDDLE, 1, -15)))
    assert start.node != node


def test_a_job_that_is_moved_meanwhile_is_still_on_trial(talk: Talk) -> None:
    start = reload(talk)
    begins(talk, start)
    talk.say(MoveRequested(MIDDLE))
    (moved,) = of(StartJob, talk.say(JobExited(start.node, MIDDLE, start.incarnation, -15)))
    assert moved.node != start.node
    assert of(ReloadFailed, talk.say(JobExited(moved.node, MIDDLE, moved.incarnation, 1)))


def test_what_cannot_be_reloaded_is_refused(talk: Talk) -> None:
    assert of(RequestRefused, talk.say(ReloadRequested(9)))
    talk.say(ReloadRequested(MIDDLE))
    (moving,) = of(RequestRefused, talk.say(ReloadRequested(MIDDLE)))
    assert "being moved" in moving.text


def test_a_node_that_takes_no_jobs_keeps_what_it_has(talk: Talk) -> None:
    node = str(talk.made.jobs[MIDDLE].node)
    for other in set(talk.made.nodes) - {node, LOCAL}:
        talk.say(NodeLost(other, "silent"))
    talk.say(DrainRequested(node))
    (refused,) = of(RequestRefused, talk.say(ReloadRequested(MIDDLE)))
    assert "takes no jobs now" in refused.text
    assert talk.state(MIDDLE) is JobState.RUNNING


@pytest.mark.parametrize(
    ("module", "name", "broken"),
    [
        (job_lifecycle, "on_trial", lambda _job: False),
        (job_lifecycle, "passed", lambda _job, _round: None),
        (job_lifecycle, "passed", lambda job, _round: setattr(job, "trial", 0)),
        (job_lifecycle, "revert", lambda _cluster, job, _text: setattr(job, "trial", 0)),
        (coordinator.reload, "reload", lambda cluster, event: cluster.accept(event.request, "")),
    ],
    ids=["counts failures", "never passes", "passes too early", "keeps the new code", "does nothing"],
)
def test_mutants_are_noticed(
    module: object, name: str, broken: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, broken)
    talk = Talk(chain()).start()
    with pytest.raises((AssertionError, ValueError, IndexError)):
        _both(talk)


def _both(talk: Talk) -> None:
    test_it_restarts_on_its_node_and_passes_with_its_first_own_round(talk)
    test_a_failure_on_trial_brings_back_the_old_code_and_does_not_count(talk, 1)
