r"""Which of several currents are parts of one run: parts are joined, and are no replicas.

A current continues another one if it begins with its last sample, or with the next one of the same motion:
then third differences across the junction, :math:`J_{k+3} - 3J_{k+2} + 3J_{k+1} - J_k`, are as small as
those inside. Where samples lie too far apart to tell, the times of both decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from bec_md.arrays import Array
from bec_md.current.lazy_rows import shifted_rows
from bec_md.current.provenance import merged_metadata
from bec_md.current.replicas import same_charges
from bec_md.current.series import CurrentSeries, concatenate
from bec_md.errors import UsageError
from bec_md.trajectory.runs import Run, arrange
from bec_md.units import SAME_INTERVAL

#: Samples at each end that tell how smooth a current is.
_ENDS = 64
#: Difference of a sample that two files hold, relative to the r.m.s. of the current (printed digits).
_SAME_SAMPLE = 1e-4
#: Samples that are compared to tell that two files hold the same ones, rows that are searched at once, and
#: the size, in those differences, below which a current is at rest and tells nothing.
_ALIKE, _ROWS, _AT_REST = 8, 65536, 1000.0
#: Square of third differences over that of unrelated samples: of a junction by chance once in 10⁵, and up to
#: which a current is sampled closely enough to tell.
_BY_CHANCE, _RESOLVED = 1e-3, 0.05
#: Ratio of the junction to the largest of those inside.
_AS_INSIDE = 4.0
#: Difference of times, in samples, up to which one follows the other.
_SAME_TIME = 0.02


@dataclass(frozen=True)
class _Ends:
    """First and last samples of a current, with its times."""

    name: str
    series: CurrentSeries
    head: Array
    tail: Array

    @classmethod
    def of(cls, name: str, series: CurrentSeries) -> _Ends:
        """Read the ends of a current."""
        rows, count = series.n_frames, min(_ENDS, series.n_frames)
        head, tail = slice(0, count), slice(rows - count, rows)
        return cls(name, series, *(series.read("current", part).sum(axis=1) for part in (head, tail)))

    def number_of(self, other: _Ends) -> float:
        """Number of the sample of this current at whose time the other one begins."""
        return (other.series.start_time_fs - self.series.start_time_fs) / self.series.timestep_fs

    def held(self, others: Mapping[int, _Ends]) -> dict[int, int]:
        """Number of the first sample, but not the last, from which on this current is another one."""
        tolerance = _SAME_SAMPLE * float(np.sqrt((self.tail**2).mean()))
        heads = {number: other.head[:_ALIKE] for number, other in others.items()}
        moving = [(k, head) for k, head in heads.items() if np.abs(head).max() > _AT_REST * tolerance]
        moving.sort(key=lambda one: float(one[1][0, 0]))
        first, rows = np.array([head[0, 0] for _, head in moving]), self.series.n_frames
        found: dict[int, int] = {}
        for begin in range(0, rows if moving else 0, _ROWS):
            own = self.series.read("current", slice(begin, min(begin + _ROWS + _ALIKE, rows))).sum(axis=1)
            low = np.searchsorted(first, own[:_ROWS, 0] - tolerance, "left")
            high = np.searchsorted(first, own[:_ROWS, 0] + tolerance, "right")
            for at in np.flatnonzero(high > low).tolist():
                for number, head in moving[low[at] : high[at]]:
                    here = own[at : at + _ALIKE]
                    apart = here[: len(head)] - head[: len(here)]
                    if np.abs(apart).max() <= tolerance and begin + at < rows - 1:
                        found.setdefault(number, begin + at)
        return found


def find_parts(series: Sequence[CurrentSeries], names: Sequence[str]) -> list[Run]:
    """Arrange currents into independent runs.

    Raises
    ------
    UsageError
        If one holds all samples of another one, or two continue the same current.
    """
    ends = [_Ends.of(name, one) for name, one in zip(names, series, strict=True)]

    @cache
    def held(one: int) -> dict[int, int]:
        """What one of the currents holds of those with the same charges and clock."""
        alike = (k for k, other in enumerate(series) if k != one and _alike(series[one], other))
        return ends[one].held({k: ends[k] for k in alike})

    return arrange(
        names,
        lambda one, other: _continues(ends[one], ends[other]),
        lambda one, other: _overlaps(ends[one], ends[other], held(one).get(other)),
    )


def joined(series: Sequence[CurrentSeries], run: Run, names: Sequence[str]) -> CurrentSeries:
    """Return the current of a run, of one part or several."""
    # of a run that was killed and restarted from earlier on, what is behind the restart is the later part's
    ends = [
        series[n].n_frames - max(r - 1, 0) for n, r in zip(run.members, (*run.repeated[1:], 0), strict=True)
    ]
    parts = [
        series[number][min(repeated, 1) : end]
        if repeated or end < series[number].n_frames
        else series[number]
        for number, repeated, end in zip(run.members, run.repeated, ends, strict=True)
    ]
    if len(parts) == 1:
        return parts[0]
    for number in range(1, len(parts)):
        parts[number] = _with_continuous_polarization(parts[number - 1], parts[number])
    weights = [part.n_frames for part in parts]
    stated = [part.temperature_k for part in parts]
    known = [one for one in stated if one is not None]
    whole = concatenate(parts)
    said = [names[number] for number in run.members]
    once = f"; {sum(run.repeated)} sample(s) that two of them hold count once" if any(run.repeated) else ""
    remark = f"{', '.join(said)} continue one another: joined to one run{once}"
    merged = merged_metadata([part.metadata for part in parts], "parts", between=" + ")
    metadata = {**merged, "source": " + ".join(said), "remarks": [*merged.get("remarks", ()), remark]}
    temperature = float(np.average(known, weights=weights)) if len(known) == len(parts) else None
    return replace(whole, temperature_k=temperature, metadata=metadata)


def in_runs(series: Sequence[CurrentSeries], names: Sequence[str] | None = None) -> list[CurrentSeries]:
    """Return independent runs: currents that continue one another are joined.

    Parameters
    ----------
    series
        Currents in any order.
    names
        What they are called in messages; by default what their metadata say.
    """
    called = names or [str(one.metadata.get("source") or f"current {n}") for n, one in enumerate(series, 1)]
    if len(series) < 2:
        return list(series)
    return [joined(series, run, called) for run in find_parts(series, called)]


def _alike(one: CurrentSeries, other: CurrentSeries) -> bool:
    """Whether both have the same atoms, groups, charges, scheme and interval."""
    same = (one.groups, one.scheme, one.total_charge_e) == (other.groups, other.scheme, other.total_charge_e)
    stored = {name for name, _ in one.time_fields()} == {name for name, _ in other.time_fields()}
    counted = one.n_atoms == other.n_atoms
    clock = bool(np.isclose(one.timestep_fs, other.timestep_fs, rtol=SAME_INTERVAL, atol=0.0))
    return same and stored and counted and clock and same_charges(one, other)


def _overlaps(one: _Ends, other: _Ends, at: int | None) -> int | None:
    """How many samples of a current another one has again that begins at its sample `at` and ends later."""
    if at is None:
        return None
    if at == 0:
        raise UsageError(
            f"{one.name} and {other.name} begin with the same samples",
            "one run twice is no second run: the standard errors would come out too small by √2",
            "name every run once: the longer one, if one is a part of the other",
        )
    if other.series.n_frames > one.series.n_frames - at:
        return one.series.n_frames - at
    raise UsageError(
        f"{other.name} begins with sample {at} of {one.name}, which goes on as long or longer",
        "the samples that both hold would count twice",
        f"leave {other.name} out",
    )


def _continues(one: _Ends, other: _Ends) -> int | None:
    """How many samples `other` repeats as the continuation of `one`; None if it is none."""
    if not _alike(one.series, other.series) or min(len(one.tail), len(other.head)) < 8:
        return None
    beyond = one.number_of(other) - one.series.n_frames
    if _same_sample(one, one.tail[-1], other.head[0]):
        return 1
    inside = np.concatenate([_roughness(one.tail), _roughness(other.head)])
    random = np.random.default_rng(0)
    pairs = random.integers(0, min(len(one.tail), len(other.head)) - 2, (400, 2))
    triple = np.arange(3)
    unrelated = float(_junctions(one.tail[pairs[:, :1] + triple], other.head[pairs[:, 1:] + triple]).mean())
    across = float(_junctions(one.tail[None, -3:], other.head[None, :3])[0])
    smooth = across <= _AS_INSIDE * float(inside.max())
    counted = abs(beyond) <= _SAME_TIME
    if float(np.median(inside)) < _RESOLVED * unrelated:
        by_chance = _RESOLVED if counted else _BY_CHANCE
        return 0 if smooth and across < by_chance * unrelated else None
    return 0 if counted else None


def _roughness(samples: Array) -> Array:
    """Square of the three third differences of every six successive samples."""
    third = (np.diff(samples, n=3, axis=0) ** 2).sum(axis=1)
    return np.asarray(third[:-2] + third[1:-1] + third[2:])


def _junctions(before: Array, after: Array) -> Array:
    """Square of the third differences that three samples (n, 3, 3) and the next three have between them."""
    third = np.diff(np.concatenate([before, after], axis=1), n=3, axis=1)
    return np.asarray((third**2).sum(axis=(1, 2)))


def _same_sample(one: _Ends, sample: Array, other: Array) -> bool:
    scale = float(np.sqrt((one.tail**2).mean()))
    return scale > 0.0 and float(np.abs(sample - other).max()) <= _SAME_SAMPLE * scale


def _with_continuous_polarization(before: CurrentSeries, after: CurrentSeries) -> CurrentSeries:
    """Put P(t) of a part onto the branch on which the part before it ends: ΔP = ½(J + J')Δ."""
    if before.polarization is None or after.polarization is None:
        return after
    last, first = slice(before.n_frames - 1, before.n_frames), slice(0, 1)
    pace = before.read("current", last).sum(axis=1) + after.read("current", first).sum(axis=1)
    expected = before.read("polarization", last) + 0.5 * before.timestep_fs * pace
    shift = (expected - after.read("polarization", first))[0]
    return replace(after, polarization=shifted_rows(after.polarization, shift))
