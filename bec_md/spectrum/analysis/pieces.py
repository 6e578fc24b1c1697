r"""One long run, pieces of it with new velocities, or independent replicas: what a line's height costs.

A mode that exchanges its energy in a time τ keeps it for a whole short run: ⟨δE(t)δE(0)⟩ = (k_BT)² e^{−t/τ}
(τ = 1/γ for a damped oscillator). If a share κ of δE survives from the end of each of R pieces of length t
to the beginning of the next, the mean energy, and with it the height of a line narrower than the resolution,
has the relative variance

.. math:: V = \frac1R\Bigl[g + 2h^2\sum_{n=1}^{R-1}\bigl(1-\tfrac nR\bigr)κ^n e^{-(n-1)x}\Bigr],\quad
          x = \frac tτ,\quad h = \frac{1-e^{-x}}{x},\quad g = \frac2x(1-h).

κ = 1 is one run of length Rt, κ = 0 are replicas. Velocities drawn anew from Maxwell's distribution leave a
mode its potential energy, E cos²φ with φ at random: κ = ⟨cos²φ⟩ = ½ (pieces of whole periods find it at the
same phase again: let their lengths differ by some tens of fs). Positions stay those of equilibrium,
which velocities are independent of, so that the new piece is in equilibrium at once: nothing has to be
waited for, and nothing is lost but correlations over more than t.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Shares of the fluctuation of a mode's energy that survive between pieces.
ONE_RUN, NEW_VELOCITIES, REPLICAS = 1.0, 0.5, 0.0
#: Most pieces that are considered, and lengths that are tried, in units of the shortest.
_MOST, _LENGTHS = 1 << 40, 2.0 ** np.arange(0.0, 8.1, 0.25)


@dataclass(frozen=True)
class Route:
    """One way to an error.

    Parameters
    ----------
    how
        "one run", "new velocities" or "replicas".
    pieces, piece_ps
        Number of pieces and the length of each, ps.
    cost_ps
        Dynamics in all, with equilibration, ps.
    relative_error
        Of the height of a line.
    """

    how: str
    pieces: int
    piece_ps: float
    cost_ps: float
    relative_error: float


def energy_variance(pieces: int, length: float, exchange: float, kept: float) -> float:
    """Relative variance of the mean energy of a mode.

    Parameters
    ----------
    pieces
        R.
    length, exchange
        Of each piece, t, and the time in which modes exchange energy, τ, in the same unit.
    kept
        κ: `ONE_RUN`, `NEW_VELOCITIES`, `REPLICAS`, or what a thermostat leaves.
    """
    x = length / exchange
    h = -np.expm1(-x) / x
    alone = 2.0 * (1.0 - h) / x if x > 1e-4 else 1.0 - x / 3.0
    ratio = kept * np.exp(-x)
    # Σ (1 − n/R) κ rⁿ⁻¹ for n = 1 … R − 1, r = κ e^{−x}
    if ratio < 1.0 - 1e-9:
        rest = 1.0 - ratio
        together = kept * (1.0 / rest - (1.0 - ratio**pieces) / (pieces * rest**2))
    else:
        together = 0.5 * kept * (pieces - 1)
    return float((alone + 2.0 * h**2 * together) / pieces)


def routes(
    relative_error: float,
    exchange_ps: float,
    equilibration_ps: float,
    *,
    shortest_ps: float,
    bandwidth_per_ps: float,
    components: float,
) -> tuple[Route, ...]:
    """Return ways to the height of a line, the cheapest first.

    The noise of the shape, 1/(n_comp B T), comes to that of the energy, V/n_comp.

    Parameters
    ----------
    relative_error
        Wanted, of the height.
    exchange_ps
        τ.
    equilibration_ps
        Dynamics before one run, and before each replica.
    shortest_ps
        Least length of a piece, which the resolution asks for.
    bandwidth_per_ps
        Equivalent noise bandwidth B.
    components
        Equal Cartesian components.
    """

    def variance(pieces: int, length: float, kept: float) -> float:
        """Of the height."""
        energy = energy_variance(pieces, length, exchange_ps, kept)
        return (energy + 1.0 / (bandwidth_per_ps * pieces * length)) / components

    def fewest(length: float, kept: float) -> int:
        """Pieces that reach the error: doubled, then bisected."""
        high = 1
        while variance(high, length, kept) > relative_error**2 and high < _MOST:
            high *= 2
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (
                (low, middle) if variance(middle, length, kept) <= relative_error**2 else (middle, high)
            )
        return high

    found = []
    for how, kept in (("one run", ONE_RUN), ("new velocities", NEW_VELOCITIES), ("replicas", REPLICAS)):
        tried = []
        for length in shortest_ps * (_LENGTHS if kept < 1.0 else np.array([0.1])):
            count = fewest(float(length), kept)
            if kept == ONE_RUN:
                count, length = 1, max(count * length, shortest_ps)
            before = equilibration_ps * (count if how == "replicas" else 1)
            error = variance(count, float(length), kept) ** 0.5
            tried.append(Route(how, count, float(length), float(count * length + before), error))
        found.append(min(tried, key=lambda route: route.cost_ps))
    return tuple(sorted(found, key=lambda route: route.cost_ps))
