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

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import UsageError
from bec_md.units import SECOND_RADIATION_CM_K

REASONS = {
    "harmonic": "factor 1: the classical absorption already is the exact quantum one of a harmonic system",
    "none": "factor (1−e^−x)/x: classical line shape in the quantum absorption formula, no correction",
    "standard": "factor (2/x)tanh(x/2): symmetrized quantum line shape replaced by the classical one",
    "schofield": "factor (2/x)sinh(x/2): Schofield 1960, classical line shape times e^(x/2)",
}
QUANTUM_NAMES = tuple(REASONS)


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
