r"""Quantum correction factors, relative to the harmonic default.

The classical fluctuation formula used here, ε₂ = S_J/(2 V k_B T ε₀ ω), divides by k_B T. For a harmonic
oscillator the classical S_J is too small by exactly the factor by which 1/k_BT differs from
(1−e^{−x})/(ħω) × (quantum S_J): the classical ε₂ **is** the exact quantum ε₂ of a harmonic system. Factor 1
("harmonic") is therefore the default and is already quantum corrected.

.. warning::
   **Double counting.** The factor x/(1−e^{−x}) found in the literature multiplies the classical *line
   shape* S_J, before the division by ω(1−e^{−x})/ħ; it must not multiply ε₂ or nα of this program. Doing so
   overestimates absorption ×16 at 3400 cm⁻¹ and 300 K.

With x = ħω/(k_B T), relative to the default: none (1−e^{−x})/x (classical line shape in the quantum
absorption formula), standard (2/x) tanh(x/2), Schofield (2/x) sinh(x/2). References: Ramírez et al. 2004,
J. Chem. Phys. 121, 3973; Schofield 1960.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import BecMDWarning, UsageError
from bec_md.units import SECOND_RADIATION_CM_K

REASONS = {
    "harmonic": "factor 1: the classical absorption already is the exact quantum one of a harmonic system",
    "none": "factor (1−e^−x)/x: classical line shape in the quantum absorption formula, no correction",
    "standard": "factor (2/x)tanh(x/2): symmetrized quantum line shape replaced by the classical one",
    "schofield": "factor (2/x)sinh(x/2): Schofield 1960, classical line shape times e^(x/2)",
}
QUANTUM_NAMES = tuple(REASONS)
#: Rise over the lowest value above it by which a band is told from noise; share of the highest band that the
#: noise behind the last one may reach.
BAND_RISE, LOUDEST = 5.0, 0.1


def quantum_factor(
    wavenumber_cm: NDArray[Any], temperature_k: float, kind: str = "harmonic"
) -> NDArray[np.float64]:
    r"""Factor on ε₂ (and nα, Re σ) relative to the harmonic default.

    Parameters
    ----------
    wavenumber_cm
        Wavenumbers in cm⁻¹, any shape; zero gives 1.
    temperature_k
        Temperature in K.
    kind
        harmonic, none, standard or schofield.

    Returns
    -------
    NDArray
        Same shape.

    Raises
    ------
    UsageError
        If `kind` is unknown or the temperature is not positive.
    """
    if kind not in REASONS:
        raise UsageError(
            f"quantum correction {kind!r} is unknown",
            "the factor must be one of the published detailed-balance corrections",
            f"choose one of {', '.join(QUANTUM_NAMES)}",
        )
    if not temperature_k > 0.0:
        raise UsageError(
            f"temperature {temperature_k} K", "x = ħω/(k_B T) needs T > 0", "pass the temperature in K"
        )
    x = np.asarray(SECOND_RADIATION_CM_K * np.asarray(wavenumber_cm, dtype=float) / temperature_k)
    if kind == "harmonic":
        return np.ones_like(x)
    safe = np.where(x > 1e-8, x, 1.0)
    if kind == "none":
        factor = -np.expm1(-safe) / safe
    elif kind == "standard":
        factor = 2.0 / safe * np.tanh(0.5 * safe)
    else:
        factor = 2.0 / safe * np.sinh(np.minimum(0.5 * safe, 350.0))
    return np.where(x > 1e-8, factor, 1.0)


def schofield_top_cm(wavenumber_cm: NDArray[Any], power: NDArray[Any], temperature_k: float) -> float:
    r"""Wavenumber at which a spectrum with Schofield's factor ends by default, cm⁻¹.

    The factor grows like :math:`e^{x/2}`. Behind the last band it makes of noise and tails more than all
    bands have, which ε', n and R of all frequencies would then have, too: the spectrum ends in the valley
    behind the last band, and a `BecMDWarning` says so. Where the noise stays below, it ends with the grid.

    Parameters
    ----------
    wavenumber_cm
        (F,) from 0 to the Nyquist wavenumber.
    power
        (F,) power spectrum without the factor, in any unit.
    temperature_k
        T in K.
    """
    used = np.flatnonzero(power > 0.0)[::-1]
    if not used.size:
        return float(wavenumber_cm[-1])
    downward = np.log(power[used]) + np.log(quantum_factor(wavenumber_cm[used], temperature_k, "schofield"))
    rises = downward > np.minimum.accumulate(downward) + np.log(BAND_RISE)
    valley = int(np.argmin(downward[: int(np.argmax(rises))])) if rises.any() else 0
    noise = float(downward[: valley + 1].max())
    if noise < float(downward[valley:].max()) + np.log(LOUDEST):
        return float(wavenumber_cm[-1])
    top = float(wavenumber_cm[used[valley]])
    warnings.warn(
        BecMDWarning(
            f"the spectrum ends at {top:.4g} cm⁻¹: Schofield's factor e^(x/2) makes more of the noise beyond "
            "than the bands have; `max_cm` sets another end"
        ),
        stacklevel=2,
    )
    return top
