"""Blocks of the current with the sum rule applied, from arrays or HDF5 datasets of any length.

Only slices of the series are ever read, so a current file of 10⁷ frames needs no more memory than one
block.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.arrays import Array, spread_rows
from bec_md.current import rules
from bec_md.current.replicas import require_same_system
from bec_md.errors import DataError, UsageError
from bec_md.units import SAME_INTERVAL

if TYPE_CHECKING:
    from bec_md.current.series import CurrentSeries, SumRule

#: The total current of runs up to this length is kept in memory between passes (96 MB).
REMEMBERED_FRAMES = 1 << 22
#: Frames from which mean tensors are taken.
SAMPLED_FRAMES = 64
#: Length of a replica over that of the longest one below which it has no part where all are as short as the
#: shortest one.
SHORTEST_SHARE = 0.25

#: Samples of a current that a spectrum needs.
FEWEST = 16


def rows(data: Any, start: int, stop: int) -> Array:
    """Rows start … stop of a per-frame dataset; a single row stands for all frames."""
    if data.shape[0] == 1:
        return np.asarray(data[:1], dtype=float)
    return np.asarray(data[start:stop], dtype=float)


def group_current(series: CurrentSeries, start: int, stop: int, sum_rule: SumRule) -> Array:
    """Current of each group in the frames start … stop with the sum rule imposed, (n, G, 3) in e Å/fs.

    `sum_rule` must be one that the series can apply (`CurrentSeries.effective_sum_rule`).
    """
    current = rows(series.current, start, stop)
    if sum_rule == "none":
        return current
    velocity = None
    if series.momentum is not None and series.total_mass_amu is not None:
        velocity = rows(series.momentum, start, stop).sum(axis=1) / series.total_mass_amu
    charge_sum = rows(series.charge_sum, start, stop)
    if sum_rule == "mass" and velocity is not None:
        return rules.current_mass(current, charge_sum, velocity)
    counts = np.asarray(series.group_count, dtype=np.int64)
    velocity_sum = rows(series.velocity_sum, start, stop)
    return rules.current_equal(current, charge_sum, velocity_sum, counts, series.total_charge_e, velocity)


@dataclass(frozen=True)
class CurrentBlocks:
    """Several replicas of the same system, read block by block.

    Parameters
    ----------
    series
        The replicas; same groups and time step.
    sum_rules
        The rule that can be applied to each replica.
    """

    series: tuple[CurrentSeries, ...]
    sum_rules: tuple[SumRule, ...]
    _totals: dict[int, tuple[Array, int]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Samples in each replica."""
        return tuple(int(s.current.shape[0]) for s in self.series)

    @property
    def timestep_fs(self) -> float:
        """Time between samples in fs."""
        return float(self.series[0].timestep_fs)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the groups."""
        return tuple(self.series[0].groups)

    @property
    def volume_ang3(self) -> float:
        """Mean volume, weighted with the lengths."""
        volumes = [float(s.volume_ang3) for s in self.series]
        return float(np.average(volumes, weights=self.lengths))

    @property
    def n_members(self) -> int:
        """Members of the model ensemble whose currents every replica stores (0: none)."""
        counts = {0 if s.member_current is None else int(s.member_current.shape[1]) for s in self.series}
        return counts.pop() if len(counts) == 1 else 0

    def currents(self, replica: int, start: int, stop: int) -> Array:
        """Group currents of one replica with the sum rule imposed, (n, G, 3)."""
        return group_current(self.series[replica], start, stop, self.sum_rules[replica])

    def read(self, replica: int, start: int, stop: int) -> Array:
        """Group currents of one replica, channels first: (G, 3, n), scaled to the mean volume."""
        scale = (self.volume_ang3 / float(self.series[replica].volume_ang3)) ** 0.5
        result = np.ascontiguousarray(np.moveaxis(self.currents(replica, start, stop), 0, -1))
        result *= scale
        self._remember(replica, start, stop, result)
        return result

    def read_total(self, replica: int, start: int, stop: int) -> Array:
        """Total current, (3, n), from memory if an earlier pass has read these frames in order."""
        total, known = self._totals.get(replica, (np.zeros((3, 0)), 0))
        if stop <= known:
            return total[:, start:stop].copy()
        return np.asarray(self.read(replica, start, stop).sum(axis=0))

    def _remember(self, replica: int, start: int, stop: int, current: Array) -> None:
        if sum(self.lengths) > REMEMBERED_FRAMES:
            return
        total, known = self._totals.get(replica, (np.empty((3, self.lengths[replica])), 0))
        if start <= known < stop:
            total[:, known:stop] = current[:, :, known - start :].sum(axis=0)
            self._totals[replica] = (total, stop)

    @property
    def has_polarization(self) -> bool:
        """Whether P(t) is stored, so that M need not be integrated (a net charge moves with the cell)."""
        return all(s.polarization is not None and abs(s.total_charge_e) < 1e-9 for s in self.series)

    def read_polarization(self, replica: int, start: int, stop: int) -> Array:
        """P(t), (3, n) in e Å, scaled to the mean volume."""
        series = self.series[replica]
        scale = (self.volume_ang3 / float(series.volume_ang3)) ** 0.5
        return np.ascontiguousarray(rows(series.polarization, start, stop).T * scale)

    def mean_tensors(self, replica: int) -> Array | None:
        """Mean tensor of an atom of each group, (G, 3, 3), from frames spread over the run.

        None where it says nothing of the motion: without groups, or with several species in one.
        """
        series = self.series[replica]
        known = (series.charge_sum, series.velocity_sum, series.momentum, series.total_mass_amu)
        if len(self.groups) < 2 or series.group_count is None or any(item is None for item in known):
            return None
        if not _of_one_mass(series):
            return None
        mean = spread_rows(series.charge_sum, SAMPLED_FRAMES).mean(axis=0)
        return np.asarray(mean / np.asarray(series.group_count)[:, None, None])

    def read_mean_current(self, replica: int, start: int, stop: int, tensors: Array) -> Array:
        """Current of the same motion with constant tensors of the groups, barycentric, (3, n)."""
        series = self.series[replica]
        velocity = rows(series.velocity_sum, start, stop)
        center = rows(series.momentum, start, stop).sum(axis=1) / series.total_mass_amu
        relative = velocity - np.asarray(series.group_count)[:, None] * center[:, None, :]
        return np.asarray(np.einsum("gab,tgb->at", tensors, relative))

    def read_members(self, replica: int, start: int, stop: int) -> Array:
        """Total current of every ensemble member, (M, 3, n)."""
        series = self.series[replica]
        scale = (self.volume_ang3 / float(series.volume_ang3)) ** 0.5
        return np.ascontiguousarray(np.moveaxis(rows(series.member_current, start, stop), 0, -1) * scale)


def _of_one_mass(series: CurrentSeries) -> bool:
    """Whether the atoms of each group have one mass: Σm·Σ1/m = n² only then."""
    mass, inverse, count = series.group_mass_amu, series.group_inverse_mass, series.group_count
    if mass is None or inverse is None or count is None:
        return True  # currents that do not say it
    return bool(np.allclose(np.asarray(mass) * np.asarray(inverse), np.asarray(count) ** 2, rtol=1e-4))


def open_blocks(series: tuple[CurrentSeries, ...], sum_rule: SumRule) -> CurrentBlocks:
    """Check that replicas belong together and choose what can be done about the sum rule.

    Raises
    ------
    UsageError
        If there is no series, or replicas differ in groups, atoms, masses, charges or time step.
    DataError
        If a series is too short or holds values that are not finite.
    """
    if not series:
        raise UsageError("no current series", "there is nothing to transform", "pass at least one current")
    require_same_system(series)
    first = series[0]
    for number, other in enumerate(series):
        if abs(other.timestep_fs - first.timestep_fs) > SAME_INTERVAL * first.timestep_fs:
            raise UsageError(
                f"replica {number} has a time step of {other.timestep_fs} fs, replica 0 {first.timestep_fs}",
                "spectra of different time steps cannot be averaged",
                "read them with strides so that all replicas have the same time between frames",
            )
        if other.scheme != first.scheme:
            raise UsageError(
                f"replica {number} has velocities by {other.scheme!r}, replica 0 by {first.scheme!r}",
                "one transfer function cannot correct both",
                "analyze the replicas one by one and compare",
            )
        if int(other.current.shape[0]) < FEWEST:
            raise DataError(
                f"replica {number} has {int(other.current.shape[0])} frames",
                f"a spectrum needs at least {FEWEST}",
                "run longer, or check `start`, `stop` and `stride`",
            )
    return CurrentBlocks(series, tuple(s.effective_sum_rule(sum_rule) for s in series))
