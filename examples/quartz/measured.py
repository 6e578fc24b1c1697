"""Measured infrared response of α-quartz at 295 K: factorized oscillators along both axes.

F. Gervais, B. Piriou, Phys. Rev. B 11, 3944 (1975), tables I (A2, E ∥ c) and II (E, E ⊥ c), rows of 295 K:

    ε(ν) = ε_∞ Π_j (Ω_LO² − ν² − i γ_LO ν)/(Ω_TO² − ν² − i γ_TO ν)

The two E modes below 300 cm⁻¹ are too weak for these tables. C. J. Winta, M. Wolf, A. Paarmann, Phys. Rev. B
99, 144308 (2019), found the same modes at 1.5 K, TO within 4 cm⁻¹ and LO within 10 cm⁻¹. A transcription with
A2 487.5/550 cm⁻¹ and without the weak oscillator at 509 cm⁻¹ is in circulation; the original splits that band
as here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bec_md.spectrum.response.oscillator import four_parameter

#: ε_∞ and rows of Ω_TO, γ_TO, Ω_LO, γ_LO [cm⁻¹]; E ⊥ c (ordinary ray).
E_BANDS = (
    2.356,
    (
        (393.5, 2.8, 402.0, 2.8),
        (450.0, 4.5, 510.0, 4.1),
        (695.0, 13.0, 697.6, 13.0),
        (797.0, 6.9, 810.0, 6.9),
        (1065.0, 7.2, 1226.0, 12.5),
        (1158.0, 9.3, 1155.0, 9.3),
    ),
)

#: The same for E ∥ c (extraordinary ray).
A2_BANDS = (
    2.383,
    (
        (363.5, 4.8, 386.7, 4.8),
        (495.0, 5.2, 551.5, 5.8),
        (509.0, 14.0, 507.5, 14.0),
        (777.0, 6.7, 790.0, 6.7),
        (1071.0, 6.8, 1229.0, 12.0),
    ),
)

#: Number of the weak A2 band, which is no mode of its own and has no partner in a calculation.
WEAK_A2 = 2

#: ε_∞ of the tensor (x, y, z).
EPS_INF = (E_BANDS[0], E_BANDS[0], A2_BANDS[0])


def epsilon(
    wavenumber_cm: NDArray[np.float64], bands: tuple[float, tuple[tuple[float, ...], ...]]
) -> NDArray[np.complex128]:
    """Measured complex ε(ν) of `E_BANDS` or `A2_BANDS`."""
    eps_inf, rows = bands
    return four_parameter(wavenumber_cm, np.array(rows), eps_inf)


def to_frequencies(bands: tuple[float, tuple[tuple[float, ...], ...]]) -> list[float]:
    """TO frequencies in cm⁻¹ without the weak A2 band."""
    return [row[0] for number, row in enumerate(bands[1]) if bands is E_BANDS or number != WEAK_A2]


def lo_frequencies(bands: tuple[float, tuple[tuple[float, ...], ...]]) -> list[float]:
    """LO frequencies in cm⁻¹, in the order of `to_frequencies`."""
    return [row[2] for number, row in enumerate(bands[1]) if bands is E_BANDS or number != WEAK_A2]
