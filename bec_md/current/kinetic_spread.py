r"""Whether a kinetic temperature scatters as that of a run at one temperature.

In the canonical ensemble the kinetic energy of f degrees of freedom has the relative variance 2/f, whatever
the forces; at constant energy it is less. More of it means that the temperature itself changed: replicas
that exchange theirs, a ramp, an equilibration that is part of the run.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bec_md.arrays import Array

#: Degrees of freedom and frames below which nothing is said.
_FEW, _SHORT = 12, 200
#: Stretches of the run.
_STRETCHES = 10
#: Ratio from which on the temperature is said to have changed, beyond three standard errors.
WIDE = 1.2


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

    @property
    def at_least(self) -> float:
        """The ratio less three standard errors, a quarter of it at most: decays make them large."""
        return self.ratio - 3.0 * min(self.error, 0.25 * self.ratio)

    @property
    def is_wide(self) -> bool:
        """Whether the temperature itself changed."""
        return self.at_least > WIDE


def spread_of(energies: Array, freedom: float) -> TemperatureSpread | None:
    """Return how kinetic energies scatter, without the stretch that scatters most (an equilibration).

    Parameters
    ----------
    energies
        (T,) kinetic energies, or temperatures, in any unit.
    freedom
        Degrees of freedom that they hold.

    Returns
    -------
    None for few frames or atoms.
    """
    if len(energies) < _SHORT or freedom < _FEW:
        return None
    middle = float(np.median(energies))
    if not middle > 0.0:
        return None
    apart = energies / middle - 1.0
    times = np.linspace(-1.0, 1.0, len(apart))
    around_trend = apart - apart.mean() - times * (times @ apart) / (times @ times)
    found, scatter = (
        np.sort([part.mean() for part in np.array_split(values**2 * freedom / 2.0, _STRETCHES)])[:-1]
        for values in (apart, around_trend)
    )
    return TemperatureSpread(float(found.mean()), float(scatter.std(ddof=1) / np.sqrt(len(scatter))))
