r"""The polarization current of a trajectory as a time series, per group of atoms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, mean_row
from bec_md.current import checks, rules
from bec_md.current.averages import Averages, averages_of
from bec_md.current.fields import BLOCK_ROWS, FIELDS, CurrentData, Scheme, SumRule
from bec_md.current.lazy_rows import joined_rows, ordered_rows, part_of, sparse_part
from bec_md.errors import DataError, UsageError
from bec_md.units import AMU_ANG2_FS2_EV, BOLTZMANN_EV_K

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["BLOCK_ROWS", "Array", "CurrentSeries", "Scheme", "SumRule", "concatenate", "mean_cell"]

#: What averages are computed from.
_AVERAGED = (
    *("zz_over_mass", "charge_sum", "momentum", "kinetic_energy_ev"),
    *("group_mass_amu", "total_charge_e", "anchored"),
)


@dataclass(frozen=True, eq=False)
class CurrentSeries(CurrentData):
    r"""Polarization current :math:`J_a(t) = \sum_i \sum_b Z_{i,ab} v_{ib}`, split into groups of atoms.

    The current is kept with the raw tensors; the sums beside it (:math:`\sum Z`, :math:`\sum m v`,
    :math:`\sum v`, per group) allow every sum-rule correction to be applied or undone afterwards.
    Nothing here holds a whole time axis of the fields but the result.

    Parameters
    ----------
    known_averages
        Averages over exactly these frames, when they have been computed before.
    averaged
        What these were computed from: with other arrays (`dataclasses.replace`) they hold no more. The other
        parameters are those of `CurrentData`.

    Raises
    ------
    DataError
        For shapes that do not fit together, numbers that are not finite, or a non-positive timestep
        or volume.
    """

    known_averages: Averages | None = field(default=None, repr=False)
    averaged: tuple[Any, ...] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name, value in checks.as_arrays(self).items():
            object.__setattr__(self, name, value)
        checks.check_scalars(self)
        checks.check_shapes(self)
        checks.check_finite(self)
        if self.known_averages is not None and self.averaged is None:
            object.__setattr__(self, "averaged", tuple(getattr(self, name) for name in _AVERAGED))

    # ------------------------------------------------------------------ how it shows itself
    def __repr__(self) -> str:
        from bec_md.notebook import current_line

        return current_line(self)

    def _repr_html_(self) -> str:
        from bec_md.notebook import current_html

        return current_html(self)

    def to_xarray(self, sum_rule: SumRule = "mass") -> xr.Dataset:
        """Return all fields as a labelled dataset, with the corrected total current J (needs xarray)."""
        from bec_md.current.labelled import to_xarray

        return to_xarray(self, sum_rule)

    def to_pandas(self, sum_rule: SumRule = "mass") -> pd.DataFrame:
        """Return J(t), total and of each group, as a table over times (needs pandas)."""
        from bec_md.current.labelled import to_pandas

        return to_pandas(self, sum_rule)

    def __len__(self) -> int:
        return self.n_frames

    # ------------------------------------------------------------------ currents
    def effective_sum_rule(self, sum_rule: SumRule = "mass") -> SumRule:
        """Return the rule that `total` and `partial` really apply.

        A series that carries only J (output of another code) has nothing to correct with: every rule
        then is ``"none"``.

        Raises
        ------
        UsageError
            If `sum_rule` is none of "mass", "equal", "none".
        """
        if sum_rule not in ("mass", "equal", "none"):
            raise UsageError(
                f"unknown sum rule {sum_rule!r}",
                "the acoustic sum rule can be restored by mass, by equal shares, or not at all",
                "use 'mass', 'equal' or 'none'",
            )
        if sum_rule == "mass" and (self.momentum is None or self.group_mass_amu is None):
            return "none"
        if sum_rule == "equal" and (self.velocity_sum is None or self.group_count is None):
            return "none"
        return "none" if self.charge_sum is None else sum_rule

    def partial(self, sum_rule: SumRule = "mass") -> Array:
        r"""Return the current of each group, corrected so that a rigid translation carries none.

        mass: :math:`J_g - S_g v_\mathrm{com}`, the same as replacing :math:`Z_i` by
        :math:`Z_i - (m_i/M) S` in the total. equal: :math:`J_g - (S - Q)/N \sum_{i \in g} v_i`, then
        the barycentric frame. The groups sum to `total` exactly.

        Parameters
        ----------
        sum_rule
            ``"mass"``, ``"equal"`` or ``"none"``.

        Returns
        -------
        (T, G, 3) current, e Å/fs.
        """
        out = np.empty((self.n_frames, self.n_groups, 3))
        for rows, block in self.partial_blocks(sum_rule):
            out[rows] = block
        return out

    def total(self, sum_rule: SumRule = "mass") -> Array:
        """Return the total current, (T, 3) in e Å/fs: the sum over groups of `partial`."""
        out = np.empty((self.n_frames, 3))
        for rows, block in self.partial_blocks(sum_rule):
            out[rows] = block.sum(axis=1)
        return out

    def partial_blocks(
        self, sum_rule: SumRule = "mass", rows: int = BLOCK_ROWS
    ) -> Iterator[tuple[slice, Array]]:
        """Yield (rows, current of each group in these rows), so that a long series is never held whole."""
        rule = self.effective_sum_rule(sum_rule)
        for block in self.blocks(rows):
            current = self.read("current", block)
            if rule == "mass":
                velocity = self.read("momentum", block).sum(axis=1) / self.total_mass_amu
                current = rules.current_mass(current, self.read("charge_sum", block), velocity)
            elif rule == "equal":
                current = rules.current_equal(
                    current,
                    self.read("charge_sum", block),
                    self.read("velocity_sum", block),
                    cast(NDArray[np.int64], self.group_count),
                    self.total_charge_e,
                    self._com_velocity(block),
                )
            yield block, current

    # ------------------------------------------------------------------ averages
    @cached_property
    def averages(self) -> Averages:
        """Time averages, from one pass over the rows (a stored file knows them already)."""
        now = [getattr(self, name) for name in _AVERAGED]
        same = all(
            one is other or (isinstance(one, float) and one == other)
            for one, other in zip(now, self.averaged or (), strict=False)
        )
        return self.known_averages if self.known_averages is not None and same else averages_of(self)

    def zz_sum(self, sum_rule: SumRule = "mass") -> tuple[Array, Array] | None:
        r"""Return the mean :math:`\sum Z Z^T/m` that the f-sum rule needs: total and per group.

        The value for a group is the one that its cross-spectrum with the total current obeys:
        :math:`\langle J_g J^T \rangle = k_B T\, [\sum_{i \in g} Z_i Z_i^T/m_i - S_g S^T/M]` (symmetric
        part) for the mass rule, whose sum over groups is :math:`\sum Z Z^T/m - S S^T/M`. Without a rule it
        is the same if the center of mass is at rest, and :math:`\sum Z Z^T/m` if it moves thermally.

        Returns
        -------
        (3, 3) total and (G, 3, 3) per group, e²/amu; None when the series does not carry it.
        """
        rule, known = self.effective_sum_rule(sum_rule), self.averages
        if known.zz_over_mass is None:
            return None
        mean = known.zz_over_mass
        if known.mass_terms is not None and (rule == "mass" or (rule == "none" and self._at_rest())):
            mean = mean - known.mass_terms
        elif rule == "equal":
            equal = self._equal_terms()
            if equal is None:
                return None
            mean = mean - equal
        return mean.sum(axis=0), mean

    def kinetic_temperature(self, constraints: int = 0) -> tuple[float, Array] | None:
        r"""Return the mean kinetic temperature, total and per group, K, in the barycentric frame.

        The three center-of-mass degrees of freedom are shared by mass, as equipartition with
        :math:`\sum m v = 0` does: group g has :math:`3 N_g - 3 M_g/M` of them; where atoms that do not move
        hold the others, :math:`3 N_g` of its atoms that move. Differences of positions
        (scheme other than ``"velocity"``) smooth the motion: the temperature then is a lower bound. Rigid
        bonds and angles, `constraints` in number, take one degree of freedom each from the whole; the
        temperatures of groups then are NaN.
        """
        energy = self.averages.kinetic_energy_ev
        if energy is None or self.group_mass_amu is None or self.group_count is None:
            return None
        free = self.group_count if self.group_free is None else self.group_free
        share = np.zeros(self.n_groups) if self.anchored else self.group_mass_amu / self.group_mass_amu.sum()
        return rules.temperatures(energy, free, share, constraints)

    def degrees_of_freedom(self, constraints: int = 0) -> float | None:
        """Return 3N of the atoms that move, less three where momentum is conserved, less the constraints."""
        free = self.group_count if self.group_free is None else self.group_free
        return None if free is None else 3.0 * float(np.sum(free)) - 3.0 * (not self.anchored) - constraints

    def com_drift_ang_per_fs(self) -> float | None:
        """Return the root mean square speed of the center of mass, Å/fs."""
        speed2 = self.averages.com_speed2
        return None if speed2 is None else float(np.sqrt(speed2))

    def sum_rule_residual_e(self) -> float | None:
        r"""Return the r.m.s. over frames and components of :math:`(\sum_i Z_i - Q)/N`, e per atom."""
        excess2 = self.averages.excess2_e2
        if excess2 is None or self.n_atoms is None:
            return None
        return float(np.sqrt(excess2)) / self.n_atoms

    @property
    def charge_interpolation_error_e(self) -> float | None:
        """R.m.s. error of interpolated tensors at held-out frames, e; None if all were evaluated."""
        sums = self._interpolation_sums()
        return None if sums is None else float(np.sqrt(sums[0] / sums[3]))

    @property
    def current_interpolation_error(self) -> float | None:
        """Relative r.m.s. error of J that interpolated tensors make at held-out frames."""
        sums = self._interpolation_sums()
        return None if sums is None or sums[2] == 0.0 else float(np.sqrt(sums[1] / sums[2]))

    def _interpolation_sums(self) -> Array | None:
        if self.interpolation_check is None:
            return None
        sums = np.zeros(4)
        for block in self.blocks():
            rows = self.read("interpolation_check", block)
            rows = rows[~np.isnan(rows[:, 0])]
            sums += [*rows.sum(axis=0), len(rows)]
        return sums if sums[3] > 0 else None

    # ------------------------------------------------------------------ other series from this one
    def __getitem__(self, index: slice) -> CurrentSeries:
        """Return the samples of a slice; a step is allowed where velocities are those of the frame."""
        if not isinstance(index, slice):
            raise TypeError("a CurrentSeries is sliced, e.g. series[100:200]")
        start, stop, step = index.indices(self.n_frames)
        if step < 1 or (step > 1 and self.scheme != "velocity"):
            raise UsageError(
                f"step {step} of a current with scheme {self.scheme!r}",
                "a difference over Δ sampled more rarely than Δ has no single transfer function",
                "use step 1, or compute the current anew with the stride given to the trajectory",
            )
        if start >= stop:
            raise UsageError(
                f"slice {start}:{stop} of a current of {self.n_frames} samples is empty",
                "there is nothing to analyze",
                "choose start < stop within the series",
            )
        rows = slice(start, stop, step)
        changes: dict[str, Any] = {
            name: sparse_part(array, rows, BLOCK_ROWS)
            if step > 1 and FIELDS[name].may_be_nan
            else part_of(array, rows)
            for name, array in self.time_fields()
            if array.shape[0] == self.n_frames
        }
        if self.cells_ang is not None and "cells_ang" in changes:
            changes["cell_ang"], changes["volume_ang3"] = mean_cell(changes["cells_ang"])
        return replace(
            self,
            **changes,
            known_averages=None,
            timestep_fs=self.timestep_fs * step,
            start_time_fs=self.start_time_fs + start * self.timestep_fs,
        )

    def volume_range_ang3(self) -> tuple[float, float] | None:
        """Return the smallest and the largest volume, Å³, if the cell changes."""
        if self.cells_ang is None:
            return None
        low, high = np.inf, 0.0
        for start in range(0, len(self.cells_ang), BLOCK_ROWS):
            volumes = np.abs(np.linalg.det(np.asarray(self.cells_ang[start : start + BLOCK_ROWS])))
            low, high = min(low, float(volumes.min())), max(high, float(volumes.max()))
        return (low, high) if high > low * (1.0 + 1e-6) else None

    def in_order(self, groups: Sequence[str]) -> CurrentSeries:
        """Return the same series with its groups in another order; itself if they are other ones."""
        if tuple(groups) == self.groups or sorted(groups) != sorted(self.groups):
            return self
        order = [self.groups.index(name) for name in groups]
        changes: dict[str, Any] = {
            name: ordered_rows(array, order)
            for name, array in self.time_fields()
            if FIELDS[name].row_shape[:1] == ("G",)
        }
        for name in ("group_mass_amu", "group_count", "group_inverse_mass", "group_free"):
            if (values := getattr(self, name)) is not None:
                changes[name] = np.asarray(values)[order]
        return replace(self, groups=tuple(groups), known_averages=None, **changes)

    def load(self) -> CurrentSeries:
        """Return the same series with every array in memory."""
        return replace(self, **cast(dict[str, Any], {n: np.asarray(a) for n, a in self.time_fields()}))

    # ------------------------------------------------------------------ inside
    def _at_rest(self) -> bool:
        """Whether the center of mass moves far less than a free particle of the total mass would."""
        drift, temperature, mass = (
            self.com_drift_ang_per_fs(),
            self.kinetic_temperature(),
            self.total_mass_amu,
        )
        if drift is None or temperature is None or mass is None or self.charge_sum is None:
            return False
        thermal = 1.5 * BOLTZMANN_EV_K * temperature[0]
        return bool(0.5 * AMU_ANG2_FS2_EV * mass * drift**2 < 0.01 * thermal)

    def _com_velocity(self, rows: slice) -> Array | None:
        if self.momentum is None or self.total_mass_amu is None:
            return None
        return np.asarray(self.read("momentum", rows).sum(axis=1) / self.total_mass_amu)

    def _equal_terms(self) -> Array | None:
        counts, masses = self.group_count, self.group_mass_amu
        if counts is None or masses is None:
            return None
        inverse = self.group_inverse_mass if self.group_inverse_mass is not None else counts**2 / masses
        total = np.zeros((self.n_groups, 3, 3))
        for block in self.blocks():
            charge_sum = self.read("charge_sum", block)
            if self.charge_over_mass is None:  # groups of one mass each: Σ Z/m = S N_g/M_g
                over_mass = charge_sum * (counts / masses)[:, None, None]
            elif self.charge_over_mass.shape[0] == self.n_frames:
                over_mass = self.read("charge_over_mass", block)
            else:
                over_mass = np.broadcast_to(np.asarray(self.charge_over_mass[0:1]), charge_sum.shape)
            total += rules.equal_terms(
                charge_sum, over_mass, counts, masses, inverse, self.total_charge_e
            ).sum(axis=0)
        return np.asarray(total / self.n_frames)


def mean_cell(cells_ang: Any) -> tuple[Array, float]:
    """Return the mean cell (3, 3), Å, and the mean volume, Å³, of cells (T, 3, 3), block by block."""
    total, volume = np.zeros((3, 3)), 0.0
    for start in range(0, len(cells_ang), BLOCK_ROWS):
        block = np.asarray(cells_ang[start : start + BLOCK_ROWS], dtype=np.float64)
        total += block.sum(axis=0)
        volume += float(np.abs(np.linalg.det(block)).sum())
    return total / len(cells_ang), volume / len(cells_ang)


def concatenate(series: Sequence[CurrentSeries]) -> CurrentSeries:
    """Join consecutive pieces (shards) of one current along time; rows that are read lazily stay so.

    Raises
    ------
    DataError
        If the pieces differ in groups, timestep, scheme or in the fields that they carry.
    """
    if not series:
        raise DataError("no current series to join", "the list is empty", "pass at least one series")
    first, total = series[0], sum(s.n_frames for s in series)
    for number, other in enumerate(series[1:], start=2):
        checks.check_same_kind(first, other, number)
    changes: dict[str, Any] = {"known_averages": None}
    for name, array in first.time_fields():
        if all(getattr(s, name).shape[0] == s.n_frames for s in series):
            changes[name] = joined_rows([getattr(s, name) for s in series])
        else:
            rows = [mean_row(getattr(s, name), BLOCK_ROWS) * (s.n_frames / total) for s in series]
            changes[name] = np.sum(rows, axis=0)[None] if array.shape[0] == 1 else rows
    weights = [s.n_frames / total for s in series]
    changes["volume_ang3"] = float(sum(w * s.volume_ang3 for w, s in zip(weights, series, strict=True)))
    if first.cell_ang is not None:
        changes["cell_ang"] = sum(w * np.asarray(s.cell_ang) for w, s in zip(weights, series, strict=True))
    return replace(first, **changes)
