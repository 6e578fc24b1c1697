"""The kinetic temperature of a series: whether it scatters as at one temperature."""

from __future__ import annotations

import numpy as np

from bec_md.arrays import Array
from bec_md.current import rules
from bec_md.current.kinetic_spread import TemperatureSpread, spread_of
from bec_md.current.series import CurrentSeries

#: Kinetic energies that are looked at.
_ROWS = 200_000


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
    energies, freedom = _kinetic_energies(series), series.degrees_of_freedom(constraints)
    return None if energies is None or freedom is None else spread_of(energies, freedom)


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
