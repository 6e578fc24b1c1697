"""Currents and spectra of Lorentz oscillators in three groups, with the bands of a hydrous silicate."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.current.series import CurrentSeries
from bec_md.spectrum import Spectrum, compute_spectrum
from tests.spectrum.exact import TEMPERATURE_K, langevin_oscillator

Array = NDArray[np.float64]

#: wavenumber, damping (cm⁻¹), and the charge of each mode over √mass that Si, O and H carry, e/√amu.
MODES = (
    (105.0, 40.0, (0.10, 0.25, 0.05)),
    (455.0, 30.0, (1.10, 1.60, 0.05)),
    (640.0, 25.0, (-0.35, 0.85, 0.10)),
    (795.0, 22.0, (0.75, 0.25, -0.05)),
    (1075.0, 35.0, (2.10, 1.90, 0.10)),
    (1210.0, 30.0, (0.60, -0.25, 0.05)),
)
GROUPS = ("Si", "O", "H")
VOLUME_ANG3 = 250.0
EPS_INF = 2.4
AXIS_FACTORS = (1.0, 1.0, 0.8)


def oscillator_series(n: int = 16384, dt_fs: float = 4.0, seed: int = 1, **more: Any) -> CurrentSeries:
    """Current of independent modes, each seen by all groups; the modes along z are weaker."""
    current = np.zeros((n, len(GROUPS), 3))
    zz = np.zeros((len(GROUPS), 3, 3))
    for number, (nu, gamma, charges) in enumerate(MODES):
        velocity = langevin_oscillator(n, dt_fs, nu, gamma, 1.0, seed + 100 * number)[1]  # (n, 3)
        for g, charge in enumerate(charges):
            current[:, g] += charge * velocity * AXIS_FACTORS
            zz[g] += charge * sum(charges) * np.diag(np.square(AXIS_FACTORS))
    return CurrentSeries(
        current=current,
        groups=GROUPS,
        timestep_fs=dt_fs,
        volume_ang3=VOLUME_ANG3,
        zz_over_mass=zz[None],
        group_count=np.array([24, 48, 4]),
        metadata={"source": "oscillators.xyz", "model": "universal", "charges": "model"} | more,
    )


@cache
def oscillator_spectrum(
    n: int = 16384, resolution_cm: float = 10.0, eps_inf: float | None = EPS_INF
) -> Spectrum:
    """Spectrum of `oscillator_series`, computed once."""
    return compute_spectrum(
        oscillator_series(n), temperature_k=TEMPERATURE_K, eps_inf=eps_inf, resolution_cm=resolution_cm
    )
