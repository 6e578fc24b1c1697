"""The polarization current of a Universe, by the protocol of `MDAnalysis.analysis.base.AnalysisBase`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from MDAnalysis.analysis.base import AnalysisBase, Results, ResultsGroup

from bec_md.current.compute import sorted_options
from bec_md.current.execution import Execution
from bec_md.current.found import findings_of, said_later, say
from bec_md.current.prepare import prepare_current
from bec_md.current.run import series_of, with_closed_loop
from bec_md.errors import BecMDWarning, UsageError
from bec_md.spectrum import compute_spectrum

if TYPE_CHECKING:
    from bec_md.current.job import CurrentJob
    from bec_md.current.parts import Rows
    from bec_md.network import BecModel
    from bec_md.spectrum import Spectrum


class PolarizationCurrent(AnalysisBase):  # type: ignore[misc]  # MDAnalysis has no type information
    """J(t) of a Universe, and its spectrum.

    Units, elements, masses and velocities are taken as `bec_md.trajectory.open_trajectory` takes them from a
    Universe (Å, ps and Å/ps; without velocities J lies between frames). Backends are those of MDAnalysis:
    ``run(backend="multiprocessing", n_workers=4)`` or ``backend="dask"``; numbers do not depend on them.

    Parameters
    ----------
    universe
        A Universe, or the group of all its atoms.
    model
        Name, path or loaded network for ``charges="model"``.
    verbose
        Show the progress bar of MDAnalysis (serial backend).
    **changes
        Fields of `bec_md.current.CurrentOptions` and `bec_md.trajectory.ReadOptions`: ``charges``,
        ``groups``, ``timestep_fs``, ….

    Attributes
    ----------
    results.series
        `bec_md.current.CurrentSeries`, after `run`: J of each group in e Å/fs, and what checks need.

    Raises
    ------
    UsageError
        For a part of the atoms, or options that do not exist.

    Examples
    --------
    >>> found = PolarizationCurrent(universe, "water").run(backend="multiprocessing", n_workers=2)
    >>> spectrum = found.spectrum(temperature_k=300.0, eps_inf="model")
    """

    _analysis_algorithm_is_parallelizable = True

    @classmethod
    def get_supported_backends(cls) -> tuple[str, ...]:
        """Backends that `run` takes."""
        return ("serial", "multiprocessing", "dask")

    def __init__(
        self, universe: Any, model: BecModel | str | Path = "auto", *, verbose: bool = False, **changes: Any
    ) -> None:
        self._universe = _whole(universe)
        super().__init__(self._universe.trajectory, verbose=verbose)
        for name in ("start", "stop", "stride"):
            if name in changes:
                raise UsageError(
                    f"`{name}={changes[name]}` of an analysis",
                    "MDAnalysis takes the range of frames when it runs",
                    "give run(start=…, stop=…, step=…)",
                )
        self._reading, self._options = sorted_options(changes)
        self._options = replace(self._options, model=model)
        self._job: CurrentJob | None = None
        self._range = 0, 1
        self._coming: Iterator[tuple[int, Rows]] | None = None

    def run(  # type: ignore[override, unused-ignore]
        self,
        start: int | None = None,
        stop: int | None = None,
        step: int | None = None,
        frames: Any = None,
        n_workers: int | None = None,
        **more: Any,
    ) -> PolarizationCurrent:
        """Compute J at the frames of a range.

        Parameters
        ----------
        start, stop, step
            Range of frames; J is needed at equal times.
        frames
            Not used: frames that are listed have no time step.
        n_workers
            Processes, for a parallel backend.
        **more
            ``backend``, ``n_parts``, ``verbose``, … of `AnalysisBase.run`.

        Returns
        -------
        PolarizationCurrent
            Itself, with `results` filled.

        Raises
        ------
        UsageError
            For listed frames, a backward range, an unknown time step.
        DataError
            If the trajectory is damaged.
        """
        first, last, stride = slice(start, stop, step).indices(len(self._trajectory))
        if frames is not None or stride < 1:
            raise UsageError(
                "`frames` in a list" if frames is not None else f"`step={stride}`",
                "J(t) is a series in time: frames follow one another at equal distance",
                "give `start`, `stop` and a positive `step`",
            )
        options = Execution(n_workers or 1).with_threads(self._options)
        reading = replace(self._reading, start=first, stop=last, stride=stride)
        self._range = first, stride
        self._job = with_closed_loop(prepare_current(self._universe, options, reading))
        for text in self._job.warnings:
            warnings.warn(text, BecMDWarning, stacklevel=2)
        with said_later(self._job.recipe):
            super().run(first, last, stride, n_workers=n_workers, **more)
        say(self.results.series.metadata)
        return self

    def spectrum(self, **changes: Any) -> Spectrum:
        """Return the spectrum of the current; keywords of `bec_md.compute_spectrum`.

        Raises
        ------
        UsageError
            Before `run`, or for options that do not fit.
        """
        if "series" not in self.results:
            raise UsageError("no current yet", "a spectrum is made of J(t)", "call run() first")
        return compute_spectrum(self.results.series, **changes)

    # --- protocol of AnalysisBase ---------------------------------------------------------------------
    def _compute(self, *given: Any, **more: Any) -> PolarizationCurrent:
        """Compute a part in an object of its own: a process, or the serial backend, may be given several."""
        part = copy(self)
        part.results = Results()
        AnalysisBase._compute(part, *given, **more)
        return part

    def _prepare(self) -> None:
        self.results.rows, self.results.found = [], []
        self._coming = None

    def _single_frame(self) -> None:
        """Take the rows up to this frame from the recipe, which reads its own copy of the Universe.

        It reads ahead in blocks counted from the first frame of the run, and beyond the last frame of a part
        where differences and interpolation need it: that is why numbers do not depend on the backend.
        """
        assert self._job is not None
        if self._coming is None:
            begin, stride = self._range
            row = (int(self._ts.frame) - begin) // stride
            self._coming = self._job.recipe.rows(row, row + self.n_frames)
        done = sum(len(rows["current"]) for _, rows in self.results.rows)
        while done <= self._frame_index:
            piece = next(self._coming, None)
            if piece is None:  # differences of positions: one row less than frames
                return
            self.results.rows.append(piece)
            findings = findings_of(self._job.recipe)
            self.results.found += [] if findings is None else [findings.news()]
            done += len(piece[1]["current"])

    def _get_aggregator(self) -> Any:
        return ResultsGroup(lookup=dict.fromkeys(("rows", "found"), ResultsGroup.flatten_sequence))

    def _conclude(self) -> None:
        assert self._job is not None
        findings = findings_of(self._job.recipe)
        if findings is not None:
            for one in self.results.found:
                findings.merge(one)
        self.results.series = series_of(self._job, dict(self.results.rows))
        del self.results["rows"], self.results["found"]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_coming": None}  # a worker begins anew


def _whole(universe: Any) -> Any:
    """Return the Universe of all these atoms."""
    atoms = getattr(universe, "atoms", None)
    if atoms is None:
        raise UsageError(
            f"{type(universe).__name__} is no Universe",
            "an analysis of MDAnalysis works on one",
            "give `MDAnalysis.Universe(topology, trajectory)`, or a file to `bec_md.compute_current`",
        )
    if sorted(atoms.ix) != atoms.universe.atoms.ix.tolist():  # their order does not matter
        raise UsageError(
            f"{len(atoms)} of the {len(atoms.universe.atoms)} atoms of a Universe",
            "Z* of an atom depends on all its neighbors, and the spectrum on the whole current",
            "give the Universe, and parts of it as `groups={'water': water.ix, …}`",
        )
    return atoms.universe
