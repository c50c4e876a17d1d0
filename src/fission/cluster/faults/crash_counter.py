"""Counts the crashes of a job at the same place: a crash loop differs from a stream that goes on between crashes."""

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class CrashCounter:
    """How often a job was restarted without progress. A value: each method returns the next one.

    Call `started`, `ready`, `progressed` and `failing_at` as the current incarnation reports, `crashed` when its process has
    ended, then `restarted` unless `restarts` has reached the limit. `renumbered` follows a new epoch of other jobs.
    """

    restarts: int = 0
    """Restarts after crashes at `failed_round`."""
    failed_round: int = 0
    """The round of the last crash; 0 as long as there was none."""
    failed_from: int = 0
    """The farthest restart point of the incarnations that ended without a report of the round."""
    began: int = 0
    """The restart point of the current incarnation."""
    round: int = 0
    """The last complete round of the current incarnation, as far as it was reported."""
    failing: int = 0
    """The round at which the current incarnation reported its failure; 0 without such a report."""

    @property
    def crash_round(self) -> int:
        """The round at which the current incarnation crashes if it ends now: the reported one, or the first incomplete one."""
        return self.failing or self.round + 1

    def started(self) -> Self:
        """A new incarnation begins; its restart point is unknown."""
        return replace(self, began=0, round=0, failing=0)

    def ready(self, round: int) -> Self:
        """The current incarnation begins after this round."""
        return replace(self, began=round).progressed(round)

    def progressed(self, round: int) -> Self:
        """Rounds up to this one are complete. At the round of the last crash, the earlier restarts no longer count."""
        farthest = max(self.round, round)
        return replace(self, round=farthest, restarts=0 if farthest >= self.failed_round else self.restarts)

    def failing_at(self, round: int) -> Self:
        """The current incarnation reports a failure in this round (at least 1)."""
        return replace(self, failing=max(round, 1))

    def renumbered(self) -> Self:
        """Other jobs began a new epoch: a round number of the older epoch has no meaning in it."""
        return replace(self, failed_round=0, failed_from=0)

    def crashed(self, *, live: bool) -> tuple[Self, bool]:
        """Count the end of the process; also return whether the job had made progress since the last crash.

        A job that fails reports its round. One that just ends does not, and its last report may be old: its restart point
        shows whether the last restart gained anything. A `live` origin counts from 1 after each restart: for it any other
        round is progress, except a failure before the first round is complete.
        """
        failed = self.crash_round
        elsewhere = failed > 1 and failed != self.failed_round
        progress = elsewhere if live else failed > self.failed_round
        failed_from = self.failed_from
        if not self.failing:
            progress |= self.began > failed_from
            failed_from = max(failed_from, self.began)  # it may have died before it began
        counter = replace(
            self,
            restarts=0 if progress else self.restarts,
            # A crash before the first round is complete does not show how far earlier incarnations came.
            failed_round=failed if failed > 1 else max(self.failed_round, failed),
            failed_from=failed_from,
        )
        return counter, progress

    def failed_before(self, round: int, *, live: bool) -> Self:
        """Count a failure of an earlier incarnation, in this round, that is heard of only now.

        The current incarnation is the restart after it. One that has got past that round already has made progress.
        """
        if self.round >= round:
            return self
        counted, _ = self.failing_at(round).crashed(live=live)
        return replace(counted.restarted(), failing=self.failing)

    def restarted(self) -> Self:
        """One more restart at `failed_round`."""
        return replace(self, restarts=self.restarts + 1)
