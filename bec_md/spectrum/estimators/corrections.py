r"""Corrections for the time grid: finite differences and the Verlet frequency shift.

All act on the non-negative power spectrum and are recorded in the result; none changes the sign of
anything.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.errors import UsageError
from bec_md.units import SPEED_OF_LIGHT_CM_FS

#: Below this the transfer function is not divided out further: it would only amplify noise.
TRANSFER_FLOOR = 0.1


def transfer_function(wavenumber_cm: NDArray[Any], timestep_fs: float, scheme: str) -> Array:
    r"""What finite differences leave of the power spectrum of J.

    midpoint: :math:`[\sin(\omega\Delta/2)/(\omega\Delta/2)]^2`; central (positions at t ± Δ):
    :math:`[\sin(\omega\Delta)/(\omega\Delta)]^2`; velocity: 1.

    Raises
    ------
    UsageError
        If the scheme is unknown.
    """
    phase = 2.0 * math.pi * SPEED_OF_LIGHT_CM_FS * timestep_fs * np.asarray(wavenumber_cm, dtype=float)
    if scheme == "velocity":
        return np.ones_like(phase)
    if scheme == "midpoint":
        return np.sinc(phase / (2.0 * math.pi)) ** 2
    if scheme == "central":
        return np.sinc(phase / math.pi) ** 2
    raise UsageError(
        f"velocity scheme {scheme!r} is unknown",
        "the damping by finite differences depends on it",
        "use 'velocity', 'midpoint' or 'central'",
    )


def undamped_gain(wavenumber_cm: NDArray[Any], timestep_fs: float, scheme: str) -> Array:
    """Factor 1/transfer function, limited to 1/`TRANSFER_FLOOR`."""
    return 1.0 / np.maximum(transfer_function(wavenumber_cm, timestep_fs, scheme), TRANSFER_FLOOR)


def verlet_shown_wavenumber(wavenumber_cm: NDArray[Any] | float, md_timestep_fs: float) -> Array:
    r"""Wavenumber at which Verlet integration shows a mode: ω_MD = (2/dt) asin(ω₀ dt/2)."""
    half = math.pi * SPEED_OF_LIGHT_CM_FS * md_timestep_fs
    return np.asarray(np.arcsin(np.minimum(half * np.asarray(wavenumber_cm, dtype=float), 1.0)) / half)


def remap_verlet(wavenumber_cm: Array, power: Array, md_timestep_fs: float) -> Array:
    r"""Power spectra on the same grid with the Verlet frequency shift undone.

    The integral is conserved: S₀(ω₀) = S(ω_MD) dω_MD/dω₀, with dω₀/dω_MD = cos(ω_MD dt/2). Interpolation is
    linear in the spectra, so that those of groups still add up; a non-negative spectrum stays so.

    Parameters
    ----------
    wavenumber_cm
        Uniform grid (F,) from 0 to the Nyquist wavenumber.
    power
        Spectra (..., F).
    md_timestep_fs
        Integration time step of the run (not the time between stored frames).

    Raises
    ------
    UsageError
        If the Nyquist wavenumber of the stored frames exceeds that of the time step.
    """
    from scipy.interpolate import CubicSpline

    half = math.pi * SPEED_OF_LIGHT_CM_FS * md_timestep_fs
    if half * wavenumber_cm[-1] > 0.5 * math.pi * (1.0 + 1e-9):
        raise UsageError(
            f"`md_timestep_fs` {md_timestep_fs} fs is longer than the time between frames",
            "frames cannot be stored more often than they are computed",
            "pass the integration time step of the molecular dynamics run",
        )
    shown = verlet_shown_wavenumber(wavenumber_cm, md_timestep_fs)
    inside = shown <= wavenumber_cm[-1]
    stretch = 1.0 / np.maximum(np.cos(half * shown), 1e-2)
    mapped = CubicSpline(wavenumber_cm, power, axis=-1)(shown) * stretch
    positive = (power >= 0.0).all(axis=-1, keepdims=True)
    mapped = np.where(positive, np.maximum(mapped, 0.0), mapped)
    return np.where(inside & (half * wavenumber_cm < 1.0), mapped, 0.0)
