"""Record the polarization current while an ASE dynamics runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.units import fs

from bec_md.current.chunks import committed_chunks
from bec_md.current.execution import Execution
from bec_md.current.file import load_current
from bec_md.current.mobility import PROBED
from bec_md.current.options import CurrentOptions
from bec_md.current.prepare import default_batch, prepare_current
from bec_md.current.run import with_closed_loop
from bec_md.current.store import CurrentStore
from bec_md.errors import UsageError
from bec_md.files import expanded
from bec_md.structure.from_ase import as_frame
from bec_md.trajectory.frame import TrajectoryInfo

if TYPE_CHECKING:
    from ase.md.md import MolecularDynamics

    from bec_md.current.job import CurrentJob
    from bec_md.current.series import CurrentSeries
    from bec_md.structure import Frame


class CurrentRecorder:
    """An observer that writes J of a running dynamics into a current file.

    It attaches itself to the dynamics. Tensors are evaluated in batches, and rows are stored after every
    batch; `close` (or the end of a ``with`` block) evaluates the rest and completes the file, which
    `bec_md.load_current` and ``bec-md spectrum`` read, also while the run goes on.

    Parameters
    ----------
    dynamics
        Any `ase.md` dynamics. Its velocities belong to the time of the positions, and its time step stays
        what it is at the first row.
    output
        Current file to write, ``.h5``.
    interval
        Record every so many steps.
    overwrite
        Replace a current file of this name.
    **options
        Fields of `bec_md.current.CurrentOptions`: ``model``, ``charges``, ``groups``, ….

    Raises
    ------
    UsageError
        If `output` exists or its folder does not, or options do not fit.
    """

    def __init__(
        self,
        dynamics: MolecularDynamics,
        output: str | Path,
        *,
        interval: int = 1,
        overwrite: bool = False,
        **options: Any,
    ) -> None:
        self._dynamics: Any = dynamics
        self.path = expanded(output)
        self._options = CurrentOptions(charge_stride=1).changed(**options)
        if self._options.charge_stride != 1:
            raise UsageError(
                f"`charge_stride={self._options.charge_stride}` in a running dynamics",
                "tensors between two evaluated frames need the later one",
                "leave it out, or record with a larger interval",
            )
        if interval < 1 or interval != int(interval):
            raise UsageError(
                f"`interval={interval}`",
                "rows are a whole number of steps apart",
                "give `interval=1`, 2, …",
            )
        if not self.path.parent.is_dir():
            raise UsageError(
                f"{self.path}: there is no folder {self.path.parent}",
                "rows are stored while the run goes on",
                "make it, or choose another output",
            )
        if self.path.exists() and not overwrite:
            raise UsageError(
                f"{self.path.name} exists already",
                "a run that begins anew does not continue the rows that are stored there",
                "choose another output, or give `overwrite=True`",
            )
        self._overwrite = overwrite
        self._live = _Live(0.0)  # until the first row
        self._job: CurrentJob | None = None
        self._store: CurrentStore | None = None
        self._open = ExitStack()
        self._written = 0
        self._interval = interval
        self._last: int | None = None
        self._closed = False
        for observer, every in ((self._keep_time, 1), (self, interval)):
            self._dynamics.attach(observer, interval=every)  # type: ignore[no-untyped-call]

    def _keep_time(self) -> None:
        """Hold the time step of the dynamics to that of the first row, also between two rows."""
        if self._closed:
            return
        now = float(self._dynamics.dt) / fs
        if not self._live.count:
            self._live.timestep_fs = self._interval * now
        elif not math.isclose(self._interval * now, self._live.timestep_fs):
            raise UsageError(
                f"the time step goes from {self._live.timestep_fs / self._interval:g} to {now:g} fs at step "
                f"{self._dynamics.nsteps} of {self.path.name}",
                "rows at equal numbers of steps then lie at unequal times",
                "close the recorder before the change, and record the rest into another file",
            )

    def __call__(self) -> None:
        """Take the present state of the dynamics.

        Raises
        ------
        UsageError
            If steps are missing, or the time step of the dynamics is no longer that of the first row.
        """
        self._keep_time()
        step = int(self._dynamics.nsteps)
        if self._closed or step == self._last:
            return
        if self._last is not None and step != self._last + self._interval:
            raise UsageError(
                f"step {step} follows step {self._last} in {self.path.name}",
                f"rows are {self._interval} steps apart",
                "begin every recorder at a multiple of its interval",
            )
        self._last = step
        atoms: Any = self._dynamics.atoms
        frame = as_frame(atoms)
        self._live.add(
            replace(
                frame,
                positions_ang=frame.positions_ang.copy(),
                cell_ang=frame.cell_ang.copy(),
                velocities_ang_fs=np.asarray(atoms.get_velocities() * fs, dtype=np.float64),
                time_fs=float(self._dynamics.get_time() / fs),
                index=self._live.count,
                step=step,
            )
        )
        batch = self._options.batch or default_batch(frame.n_atoms, self._options.device)
        if self._job is None and self._live.count == batch * -(-PROBED // batch):
            self._prepare()
        block = self._job.recipe.sampling.block if self._job else 0
        if block and self._live.count - self._written == block * -(-PROBED // block):
            self._flush()

    def _prepare(self) -> None:
        """Bind the tensors to the first frames, and begin the file."""
        job = with_closed_loop(prepare_current(self._live, self._options))
        writing = CurrentStore.writing(self.path, job.header(), overwrite=self._overwrite)
        self._job, self._store = job, self._open.enter_context(writing)

    def _flush(self) -> None:
        """Evaluate the frames that wait: whole blocks, so that those of all rows begin at multiples."""
        if self._job is None:
            self._prepare()
        assert self._store is not None
        assert self._job is not None
        rows_of = self._job.recipe.rows(self._written)
        for start, rows in committed_chunks(rows_of, self._written, Execution().commit_seconds):
            self._store.write(start, rows)
            self._written = start + len(rows["current"])
        self._live.forget(self._written - 1)  # changes of P need the frame before

    def close(self) -> CurrentSeries | None:
        """Complete the file and return its current; None if nothing was recorded. The dynamics may go on."""
        self._closed = True
        try:
            if self._live.count > self._written:
                self._flush()
            if self._store is None:
                return None
            self._store.join(complete=True)
        finally:
            self._open.close()
        return load_current(self.path)

    def __enter__(self) -> CurrentRecorder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class _Live:
    """The frames of a running dynamics that are still needed, as a trajectory."""

    def __init__(self, timestep_fs: float) -> None:
        self.timestep_fs = timestep_fs
        self._waiting: list[Frame] = []
        self._first = 0

    @property
    def count(self) -> int:
        """Frames taken so far."""
        return self._first + len(self._waiting)

    @property
    def info(self) -> TrajectoryInfo:
        """What is known of the run."""
        first = self._waiting[0]
        return TrajectoryInfo(
            source="ASE dynamics",
            format="ase.md",
            n_atoms=first.n_atoms,
            n_frames=None,
            numbers=first.numbers,
            masses_amu=first.masses_amu,
            timestep_fs=self.timestep_fs,
            has_velocities=True,
            has_charges=False,
            velocity_scheme="stored",
            units_note="units of ASE",
            fingerprint="",
        )

    def add(self, frame: Frame) -> None:
        """Take a frame."""
        self._waiting.append(frame)

    def forget(self, stop: int) -> None:
        """Drop the frames before number `stop`."""
        self._waiting = self._waiting[stop - self._first :]
        self._first = stop

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """Yield the frames from number `skip` on; those before what is still needed are gone."""
        return iter(self._waiting[max(0, skip - self._first) :])
