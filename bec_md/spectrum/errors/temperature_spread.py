r"""Whether the kinetic temperature scatters as that of a run at one temperature.

In the canonical ensemble the kinetic energy of f degrees of freedom has the relative variance 2/f, whatever
the forces; at constant energy it is less. More of it means that the temperature itself changed: replicas
that exchange theirs, a ramp, an equilibration that is part of the run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bec_md.arrays import Array
from bec_md.current import rules
from bec_md.current.series import CurrentSeries

#: Degrees of freedom and frames below which nothing is said.
_FEW, _SHORT = 12, 200
#: Kinetic energies that are looked at, and stretches of the run.
_ROWS, _STRETCHES = 200_000, 10


@dataclass(frozen=True)
class TemperatureSpread:
    r"""Variance of the kinetic energy over that of the canonical ensemble, f var(K)/2⟨K⟩².

    Parameters
    ----------
    ratio
        1 in a thermostat, up to ½ at constant energy in a harmonic crystal.
    error
        Standard error from stretches of the run.
    """

    ratio: float
    error: float


def temperature_spread(series: CurrentSeries, constraints: int = 0) -> TemperatureSpread | None:
    """Return how the kinetic energy scatters, without the stretch that scatters most (an equilibration).

    Parameters
    ----------
    series
        One run.
    constraints
        Degrees of freedom that rigid bonds and angles take away.

    Returns
    -------
    None where the series does not tell.
    """
    energies, counts = _kinetic_energies(series), series.group_count
    if energies is None or counts is None or len(energies) < _SHORT:
        return None
    free = counts if series.group_free is None else series.group_free
    freedom = 3.0 * float(np.sum(free)) - (0.0 if series.anchored else 3.0) - constraints
    middle = float(np.median(energies))
    if freedom < _FEW or not middle > 0.0:
        return None
    squares = (energies / middle - 1.0) ** 2 * freedom / 2.0
    stretches = np.sort([part.mean() for part in np.array_split(squares, _STRETCHES)])[:-1]
    error = stretches.std(ddof=1) / np.sqrt(len(stretches))
    return TemperatureSpread(float(stretches.mean()), float(error))


def _kinetic_energies(series: CurrentSeries) -> Array | None:
    """Kinetic energies in the barycentric frame, eV, of at most `_ROWS` frames."""
    masses = series.group_mass_amu
    if series.kinetic_energy_ev is None or series.momentum is None or masses is None:
        return None
    step, found = -(-series.n_frames // _ROWS), []
    for block in series.blocks():
        energy = series.read("kinetic_energy_ev", block)
        if not series.anchored:
            energy = rules.barycentric_kinetic_energy(energy, series.read("momentum", block), masses)
        found.append(energy.sum(axis=1)[(-block.start) % step :: step])
    return np.concatenate(found)
