r"""Time averages of a current that checks and the f-sum rule need, from one pass over its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from bec_md.arrays import Array
from bec_md.current import rules
from bec_md.current.fields import CurrentData


@dataclass(frozen=True)
class Averages:
    r"""Means over the frames of a current; None where the series does not carry what they need.

    Parameters
    ----------
    zz_over_mass
        (G, 3, 3) :math:`\langle \sum_{i \in g} Z_i Z_i^T/m_i \rangle`, e²/amu.
    mass_terms
        (G, 3, 3) symmetric part of :math:`\langle S_g S^T \rangle/M`, e²/amu.
    kinetic_energy_ev
        (G,) kinetic energy in the barycentric frame, eV.
    com_speed2
        Mean square speed of the center of mass, (Å/fs)².
    excess2_e2
        Mean square over the nine components of :math:`\sum_i Z_i - Q`, e².
    """

    zz_over_mass: Array | None = None
    mass_terms: Array | None = None
    kinetic_energy_ev: Array | None = None
    com_speed2: float | None = None
    excess2_e2: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers and lists."""
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Averages:
        """Return what `to_json` wrote."""
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {
            name: np.array(value) if isinstance(value, list) else value
            for name, value in content.items()
            if name in known
        }
        return cls(**values)


def averages_of(series: CurrentData) -> Averages:
    """Return the averages of a series."""
    count, masses, total_mass = series.n_groups, series.group_mass_amu, series.total_mass_amu
    has_zz = series.zz_over_mass is not None
    has_charge, has_momentum = (
        series.charge_sum is not None,
        series.momentum is not None and masses is not None,
    )
    has_energy = has_momentum and series.kinetic_energy_ev is not None
    sums = {"zz": np.zeros((count, 3, 3)), "terms": np.zeros((count, 3, 3)), "energy": np.zeros(count)}
    speed2 = excess2 = 0.0
    for block in series.blocks():
        if has_zz:
            sums["zz"] += series.read("zz_over_mass", block).sum(axis=0)
        if has_charge:
            charge_sum = series.read("charge_sum", block)
            whole: Array = np.einsum("tgab->tab", charge_sum)
            excess2 += float(((whole - series.total_charge_e * np.eye(3)) ** 2).sum())
            if total_mass is not None:
                sums["terms"] += rules.summed_mass_terms(charge_sum, whole, total_mass)
        if has_momentum and masses is not None:
            momentum = series.read("momentum", block)
            speed2 += float(((momentum.sum(axis=1) / total_mass) ** 2).sum())
            if has_energy:
                energy = series.read("kinetic_energy_ev", block)
                if not series.anchored:
                    energy = rules.barycentric_kinetic_energy(energy, momentum, masses)
                sums["energy"] += energy.sum(axis=0)
    frames = series.n_frames
    return Averages(
        zz_over_mass=sums["zz"] / _rows(series, frames) if has_zz else None,
        mass_terms=sums["terms"] / frames if has_charge and total_mass is not None else None,
        kinetic_energy_ev=sums["energy"] / frames if has_energy else None,
        com_speed2=speed2 / frames if has_momentum else None,
        excess2_e2=excess2 / (9 * frames) if has_charge else None,
    )


def _rows(series: CurrentData, frames: int) -> int:
    """Return how many rows the sum of ΣZZᵀ/m ran over: a single stored row stands for all frames."""
    rows = 0 if series.zz_over_mass is None else int(series.zz_over_mass.shape[0])
    return frames if rows == frames else 1
