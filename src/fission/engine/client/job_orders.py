"""Builds the start order of an incarnation from the network and the coordinator's instruction."""

from collections.abc import Mapping

from fission.cluster import StartJob
from fission.core.network import Network
from fission.engine.checkpoints.authentication import job_key
from fission.engine.checkpoints.store import CheckpointKey
from fission.engine.host.job_spec import needed_blocks, pickle_jobs, progress_timeout, queue_limits
from fission.engine.protocol.interfaces import JobOrder
from fission.runtime.messages import JobSpec


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
        self._code = code
        self._files = dict(files)
        self._keep = keep
        self._jobs = pickle_jobs(network.jobs)
        self._needed = needed_blocks(network)
        self._limits = queue_limits(network)
        self._sources = {pipe.id: job.id for job in network.jobs for pipe in job.outputs}

    def order(self, start: StartJob, replicas: tuple[str, ...]) -> JobOrder:
        """Build the order for a start; fields that only the machine knows stay empty. `replicas` store checkpoints now."""
        settings = self._network.settings
        job = self._network.job(start.job)
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
            job=self._jobs[job.id],
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
            code=self._code,
            files=self._files[job.id],
            keep=self._keep,
            orphan_timeout=settings.orphan_timeout,
            replicas=replicas,
            checkpoint_key=job_key(self._secret, CheckpointKey(self._network.name, self._run, job.id)),
        )
