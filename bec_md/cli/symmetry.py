"""Find the point group that ``--symmetry`` asks for, and say what it and control variates changed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from bec_md.cli.console import Console
from bec_md.errors import DataError, UsageError
from bec_md.files import expanded, is_file
from bec_md.spectrum.analysis.axes import with_axes_of
from bec_md.spectrum.analysis.point_group import (
    PointGroup,
    named_group,
    point_group,
)
from bec_md.trajectory.mean_structure import LIQUID, MeanStructure, mean_structure

if TYPE_CHECKING:
    from bec_md.cli.inputs import Source
    from bec_md.current.job import CurrentJob
    from bec_md.current.series import CurrentSeries
    from bec_md.spectrum import Spectrum
    from bec_md.spectrum.analysis.symmetry_options import SymmetryOptions
    from bec_md.trajectory.frame import Trajectory
    from bec_md.trajectory.options import ReadOptions

#: Atoms in frames that are read for the axes of a summary: seconds, where the network takes minutes.
ATOMS_READ, LEAST_FRAMES = 2_000_000, 200


def check_symmetry(options: SymmetryOptions, sources: Sequence[Source]) -> None:
    """Refuse, before anything is computed, a symmetry that cannot be found.

    Raises
    ------
    UsageError
        For an unknown symbol, or the mean structure of a run whose positions are not among the inputs.
    """
    options.check()
    stored = [source.series for source in sources if source.series is not None]
    unknown = all(source.job is None for source in sources) and _stored_mean(stored) is None
    if options.symmetry == "auto" and unknown:
        raise UsageError(
            f"`symmetry=auto` for {sources[0].path}",
            "it holds J(t) and no mean structure: it comes from another program, or an older bec-md",
            "name the point group (`symmetry=m-3m`), or a file with the trajectory or the structure",
        )
    if options.symmetry not in ("none", "auto") and not is_file(expanded(options.symmetry)):
        named_group(options.symmetry)


def find_symmetry(
    console: Console,
    sources: Sequence[Source],
    series: Sequence[CurrentSeries],
    options: SymmetryOptions,
    reading: ReadOptions,
) -> PointGroup | None:
    """Return the point group to average over; None if there is none.

    Parameters
    ----------
    console
        Is told what was found.
    sources, series
        The inputs and their currents; the mean structure is that of the first one that has any.
    options
        What is asked for.
    reading
        How a file with the structure is read.
    """
    if options.symmetry == "none":
        return None
    if options.symmetry != "auto" and not is_file(expanded(options.symmetry)):
        return named_group(options.symmetry)
    stored = _stored_mean(series)
    if options.symmetry == "auto" and stored is not None:
        mean, source = stored
        return _of_mean(console, mean, source, options.symmetry_tolerance_ang)
    if options.symmetry == "auto":
        trajectory = next(source.job.recipe.open() for source in sources if source.job is not None)
    else:
        from bec_md.trajectory import open_trajectory

        trajectory = open_trajectory(
            expanded(options.symmetry), reading.changed(start=0, stop=None, stride=1, temperature_k=None)
        )
    return _of_trajectory(console, trajectory, options.symmetry_tolerance_ang)


def find_axes(
    sources: Sequence[Source], series: Sequence[CurrentSeries], spectrum: Spectrum, group: PointGroup | None
) -> Spectrum:
    """Return the spectrum with the principal axes that its crystal has, for its TO and LO frequencies.

    They are those of a mean structure whose atoms stay in their places: the one that a current keeps, or that
    of the beginning of a trajectory. Without one the spectrum shows its axes itself.
    """
    if group is None:
        group = _group_of_run(sources, series)
    return spectrum if group is None else with_axes_of(spectrum, group)


def _group_of_run(sources: Sequence[Source], series: Sequence[CurrentSeries]) -> PointGroup | None:
    stored = _stored_mean(series)
    try:
        if stored is None:
            job = next((source.job for source in sources if source.job is not None), None)
            return None if job is None else _group_of_beginning(job)
        mean, source = stored
        what = f"mean structure of {mean.frames} frames of {source}"
        return _crystal_group(mean, what)
    except DataError:  # no periodic cell, or no symmetry to be found
        return None


def _group_of_beginning(job: CurrentJob) -> PointGroup | None:
    most = max(ATOMS_READ // job.info.n_atoms, LEAST_FRAMES)
    mean = mean_structure(islice(job.recipe.open().frames(), most))
    return _crystal_group(mean, f"mean structure of {mean.frames} frames of {job.info.source}")


def _crystal_group(mean: MeanStructure, what: str) -> PointGroup | None:
    if not mean.is_crystal:
        return None
    return point_group(mean.cell_ang, mean.positions_ang, mean.numbers, mean.tolerance_ang, what)


def _of_trajectory(
    console: Console, trajectory: Trajectory, tolerance_ang: float | None
) -> PointGroup | None:
    return _of_mean(console, mean_structure(trajectory.frames()), trajectory.info.source, tolerance_ang)


def _stored_mean(series: Sequence[CurrentSeries]) -> tuple[MeanStructure, str] | None:
    """Mean structure that a current keeps, and what it is of; None without any."""
    for one in series:
        if one.metadata.get("mean_structure"):
            mean = MeanStructure.from_dict(one.metadata["mean_structure"])
            return mean, str(one.metadata.get("source", "the run"))
    return None


def _of_mean(
    console: Console, mean: MeanStructure, source: str, tolerance_ang: float | None
) -> PointGroup | None:
    several = f"mean structure of {mean.frames} frames" if mean.frames > 1 else "structure"
    what = f"{several} of {source}"
    if not mean.is_crystal:
        console.item(
            "symmetry",
            f"off: atoms leave their places (r.m.s. displacement {mean.spread:.2g} of the distance to the "
            f"neighbors, crystals stay below {LIQUID:g})",
        )
        return None
    tolerance = mean.tolerance_ang if tolerance_ang is None else tolerance_ang
    found = point_group(mean.cell_ang, mean.positions_ang, mean.numbers, tolerance, what)
    if found.trivial:
        console.item("symmetry", f"none: {found.symbol}, the {what} within {tolerance:.2g} Å")
        return None
    return found


def show_symmetry(console: Console, spectrum: Spectrum) -> None:
    """Print the point group, and what it changed."""
    known = spectrum.parameters
    if "symmetry_plain" not in known:
        return
    within = known.get("symmetry_tolerance_ang")
    console.item(
        "symmetry",
        f"{known.get('symmetry', 'point group')} ({known['symmetry_operations']} operations), "
        f"{known.get('symmetry_source', '')}" + ("" if within is None else f" within {within:.2g} Å"),
    )
    plain = known["symmetry_plain"]["n_alpha_integral_cm2"]
    step = float(spectrum.wavenumber_cm[1] - spectrum.wavenumber_cm[0])
    after = [float(spectrum.get("n_alpha", along=axis).sum()) * step for axis in "xyz"]
    each = "  ".join(f"{a} {p:.4g} → {q:.4g}" for a, p, q in zip("xyz", plain, after, strict=True))
    console.item("", f"∫nα along {each} cm⁻² (of the run itself → averaged)")


def show_control_variates(console: Console, spectrum: Spectrum) -> None:
    """Print what the known moments changed, beside the plain estimate."""
    if "control_variates" not in spectrum.quality:
        return
    check, plain = spectrum.quality["control_variates"], spectrum.plain_n_alpha
    if plain is None:
        console.item("variance", f"{check.meaning}; {check.advice}")
        return
    gain = check.value if isinstance(check.value, tuple) else ()
    each = "  ".join(f"{axis} ÷ {value:.2g}" for axis, value in zip("xyz", gain, strict=False))
    console.item("variance", f"{each} by control variates, mean over the absorption")
    top = int(np.argmax(plain.mean(axis=1)))
    text = (
        f"nα at {spectrum.wavenumber_cm[top]:.0f} cm⁻¹ {plain[top].mean():.5g} → {spectrum.n_alpha[top]:.5g}"
    )
    known = spectrum.parameters["control_variates_plain"]
    for name, words in (("fluctuation", "⟨δM²⟩"), ("kramers_kronig", "∫ε₂/ω")):
        before, after = np.mean(known[name]), float(spectrum.static[name].trace()) / 3.0
        text += f", static from {words} {before:.4g} → {after:.4g}"
    console.item("", f"{text} (plain → reduced)")
