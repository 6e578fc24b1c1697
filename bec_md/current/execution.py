"""Where and how a current is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from bec_md.errors import UsageError
from bec_md.options import Options
from bec_md.processes import require_workers

if TYPE_CHECKING:
    from bec_md.current.options import CurrentOptions

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Execution(Options):
    """Where and how a current is computed; nothing of it changes a number.

    Parameters
    ----------
    workers
        Processes on this machine that share the frames.
    dask_address
        Scheduler of a dask.distributed cluster to use instead.
    commit_seconds
        A chunk is stored after so many seconds of work: what a kill can lose.
    progress
        Called with (samples done, samples in total or None).
    """

    of: ClassVar[str] = "an execution"

    workers: int = 1
    dask_address: str | None = None
    commit_seconds: float = 10.0
    progress: Progress | None = None

    @property
    def on_cluster(self) -> bool:
        """Whether other processes do the work."""
        return self.workers > 1 or self.dask_address is not None

    def with_threads(self, options: CurrentOptions) -> CurrentOptions:
        """Return the options with one thread for each of several workers, unless more were asked for."""
        return replace(options, threads=1) if self.on_cluster and options.threads is None else options

    def check(self) -> None:
        """Refuse a number of workers that can do nothing."""
        require_workers(self.workers)
        if self.workers > 1 and self.dask_address is not None:
            raise UsageError(
                f"`workers={self.workers}` beside `dask_address={self.dask_address}`",
                "the frames are shared by the workers that the cluster has",
                "leave one of them out",
            )
