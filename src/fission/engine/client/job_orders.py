"""Builds the start order of an incarnation from the network and the coordinator's instruction."""

from collections.abc import Mapping
from dataclasses import dataclass

from fission.cluster import StartJob
from fission.core.network import Network
from fission.engine.checkpoints.authentication import job_key
from fission.engine.checkpoints.store import CheckpointKey
from fission.engine.host.job_spec import needed_blocks, pickle_jobs, progress_timeout, queue_limits
from fission.engine.protocol.interfaces import JobOrder
from fission.runtime.messages import JobSpec


@dataclass(frozen=True, slots=True)
class Version:
    """The code of one job: the digests of the user's modules and of its files, and the pickled job."""

    code: str
    files: str
    job: bytes


class JobOrderFactory:
    """Builds the start orders of one run.

    `code` is the digest of the user's modules, `files` that of each job's folder; `secret` authenticates the checkpoints of the
    run. With `keep` the jobs find the files that an earlier run has left in their folders. Raises NetworkError when a job
    cannot be pickled.
    """

    def __init__(
        self,
        network: Network,
        run: str,
        code: str,
        files: Mapping[int, str],
        secret: bytes,
        *,
        keep: bool = False,
    ) -> None:
        self._network = network
        self._run = run
        self._secret = secret
        self._keep = keep
        self._versions = {id: Version(code, files[id], job) for id, job in pickle_jobs(network.jobs).items()}
        self._before: dict[int, Version] = {}
        self._needed = needed_blocks(network)
        self._limits = queue_limits(network)
        self._sources = {pipe.id: job.id for job in network.jobs for pipe in job.outputs}

    def version(self, job: int) -> Version:
        """Return what the next start of a job uses."""
        return self._versions[job]

    def use(self, job: int, version: Version) -> None:
        """Use another version of a job from its next start on; `revert` goes back."""
        self._before[job], self._versions[job] = self._versions[job], version

    def revert(self, job: int) -> None:
        """Go back to the version before the last `use`."""
        self._versions[job] = self._before.get(job, self._versions[job])

    def order(self, start: StartJob, replicas: tuple[str, ...]) -> JobOrder:
        """Build the order for a start; fields that only the machine knows stay empty. `replicas` store checkpoints now."""
        settings = self._network.settings
        job = self._network.job(start.job)
        version = self._versions[job.id]
        spec = JobSpec(
            run=self._run,
            job_id=job.id,
            name=job.name,
            incarnation=start.incarnation,
            folder="",
            sys_path=(),
            listen="",
            head_size=settings.head_size,
            log_level=settings.log_level,
            needed_blocks={pipe.id: self._needed[pipe.id] for pipe in (*job.inputs, *job.outputs)},
            queue_limits={pipe.id: self._limits[pipe.id] for pipe in (*job.inputs, *job.outputs)},
            job=version.job,
            resume=start.resume,
            epoch=start.epoch,
            stored=start.stored,
            senders=dict(start.senders),
            sources={pipe.id: self._sources[pipe.id] for pipe in job.inputs},
            progress_timeout=progress_timeout(job, settings),
        )
        return JobOrder(
            network=self._network.name,
            root=settings.remote_root,
            spec=spec,
            code=version.code,
            files=version.files,
            keep=self._keep,
            orphan_timeout=settings.orphan_timeout,
            replicas=replicas,
            checkpoint_key=job_key(self._secret, CheckpointKey(self._network.name, self._run, job.id)),
        )
