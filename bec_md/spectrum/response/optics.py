r"""Optical functions of ε(ω): index, absorption, reflectance, slab, loss, LO and TO frequencies.

e^{−iωt}, so √ε = n + iκ with κ ≥ 0. All functions are pure: arrays in, arrays out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, Complex
from bec_md.errors import UsageError


def refractive_index(eps: NDArray[Any]) -> Complex:
    """Complex index n + iκ = √ε with n, κ ≥ 0."""
    return _decaying_root(_passive(eps))


def _passive(eps: NDArray[Any]) -> Complex:
    """ε of a medium that gives no energy: where ε₂ is below zero by rounding or noise, it is zero."""
    values = np.asarray(eps, dtype=complex)
    return np.asarray(values.real + 1j * np.maximum(values.imag, 0.0))


def _decaying_root(square: Complex) -> Complex:
    """Return the root with which a wave decays inward."""
    root = np.sqrt(square)
    return np.asarray(np.where(root.imag < 0.0, -root, root))


def absorption_cm(wavenumber_cm: NDArray[Any], eps: NDArray[Any]) -> Array:
    """Absorption coefficient α = 2ωκ/c = 4πν̃κ in cm⁻¹."""
    return np.asarray(4.0 * math.pi * np.asarray(wavenumber_cm) * refractive_index(eps).imag)


def reflectivity(eps: NDArray[Any]) -> Array:
    """Normal-incidence reflectance |(√ε−1)/(√ε+1)|² of a half-space in vacuum."""
    index = refractive_index(eps)
    return np.asarray(np.abs((index - 1.0) / (index + 1.0)) ** 2)


def energy_loss(eps: NDArray[Any]) -> Array:
    """Loss function −Im(1/ε), peaked at the LO frequencies."""
    return np.asarray(-np.imag(1.0 / np.asarray(eps, dtype=complex)))


def oblique_reflectance(
    eps: NDArray[Any], angle_deg: float, polarization: str, eps_normal: NDArray[Any] | None = None
) -> Array:
    r"""Fresnel reflectance of a half-space in vacuum, optionally uniaxial with its axis along the normal.

    s: :math:`r = (\cos\theta - q)/(\cos\theta + q)`, :math:`q = \sqrt{ε - \sin^2\theta}`;
    p: :math:`r = (ε\cos\theta - q_p)/(ε\cos\theta + q_p)`,
    :math:`q_p = \sqrt{ε}\,\sqrt{1 - \sin^2\theta/ε_n}`.

    Parameters
    ----------
    eps
        ε in the surface plane (F,).
    angle_deg
        Angle of incidence, 0 ≤ θ < 90.
    polarization
        "s" or "p".
    eps_normal
        ε along the surface normal; equal to `eps` by default.

    Raises
    ------
    UsageError
        If the angle or the polarization is out of range.
    """
    amplitude, _ = _fresnel(eps, angle_deg, polarization, eps_normal)
    return np.asarray(np.abs(amplitude) ** 2)


def _fresnel(
    eps: NDArray[Any], angle_deg: float, polarization: str, eps_normal: NDArray[Any] | None
) -> tuple[Complex, Complex]:
    """Amplitude r of a half-space, and the normal component of the wave vector inside in units of ω/c."""
    if not 0.0 <= angle_deg < 90.0 or polarization not in ("s", "p"):
        raise UsageError(
            f"oblique reflectance at {angle_deg}° with polarization {polarization!r}",
            "the angle of incidence lies in [0, 90)° and the polarization is s or p",
            "pass for instance `angle_deg=45`, `polarization='p'`",
        )
    sine2 = math.sin(math.radians(angle_deg)) ** 2
    cosine = math.cos(math.radians(angle_deg))
    eps = _passive(eps)
    if polarization == "s":
        q = _decaying_root(eps - sine2)
        return np.asarray((cosine - q) / (cosine + q)), q
    normal = eps if eps_normal is None else _passive(eps_normal)
    # q² = ε (1 − sin²θ/ε_n); between TO in the plane and LO along the normal, Re q is below zero
    q = _decaying_root(eps * (1.0 - sine2 / normal))
    q = np.where((q.imag == 0.0) & (eps.real < 0.0), -q, q)  # also where nothing decays
    return np.asarray((eps * cosine - q) / (eps * cosine + q)), q


def slab(
    wavenumber_cm: NDArray[Any],
    eps: NDArray[Any],
    thickness_um: float,
    angle_deg: float = 0.0,
    polarization: str = "s",
    eps_normal: NDArray[Any] | None = None,
) -> tuple[Array, Array]:
    r"""Reflectance and transmittance of a free-standing plane-parallel slab, with all its interferences.

    :math:`r = r_0 (1 - φ^2)/(1 - r_0^2 φ^2)`, :math:`t = (1 - r_0^2) φ/(1 - r_0^2 φ^2)`,
    :math:`φ = e^{2π i ν̃ d q}`, with r_0 and q of the half-space (`oblique_reflectance`).

    Parameters
    ----------
    wavenumber_cm
        (F,).
    eps, angle_deg, polarization, eps_normal
        As in `oblique_reflectance`.
    thickness_um
        d in µm.

    Returns
    -------
    reflectance, transmittance
    """
    front, q = _fresnel(eps, angle_deg, polarization, eps_normal)
    phase = np.exp(2j * math.pi * np.asarray(wavenumber_cm) * thickness_um * 1e-4 * q)
    denominator = 1.0 - front**2 * phase**2
    reflected = front * (1.0 - phase**2) / denominator
    transmitted = (1.0 - front**2) * phase / denominator
    return np.abs(reflected) ** 2, np.abs(transmitted) ** 2


def along(tensor: NDArray[Any], direction: NDArray[Any] | tuple[float, float, float]) -> NDArray[Any]:
    """Projection q̂·A·q̂ (F,) of tensors (F, 3, 3) on a direction."""
    q = np.asarray(direction, dtype=float)
    q = q / np.linalg.norm(q)
    return np.asarray(np.einsum("a,fab,b->f", q, tensor, q))


def powder_reflectivity(eps_tensor: NDArray[Any]) -> Array:
    """Mean normal-incidence reflectance over the three principal directions at each frequency.

    Grains larger than the wavelength reflect independently; a mean of ε would be right for the opposite
    limit (grains much smaller than the wavelength, weak contrast).
    """
    return np.asarray(reflectivity(_principal_values(eps_tensor)).mean(axis=-1))


def powder_absorption_cm(wavenumber_cm: NDArray[Any], eps_tensor: NDArray[Any]) -> Array:
    """Mean absorption coefficient over the three principal directions in cm⁻¹."""
    values = _principal_values(eps_tensor)
    return np.asarray(absorption_cm(np.asarray(wavenumber_cm)[:, None], values).mean(axis=-1))


def _principal_values(eps_tensor: NDArray[Any]) -> Complex:
    return np.asarray(np.linalg.eigvals(np.asarray(eps_tensor, dtype=complex)))


def longitudinal_frequencies_cm(wavenumber_cm: Array, eps: NDArray[Any]) -> Array:
    """LO frequencies: upward zeros of Re ε (from negative to positive), linear interpolation."""
    real = np.asarray(eps).real
    rise = np.flatnonzero((real[:-1] < 0.0) & (real[1:] >= 0.0))
    fraction = real[rise] / (real[rise] - real[rise + 1])
    return np.asarray(wavenumber_cm[rise] + fraction * (wavenumber_cm[rise + 1] - wavenumber_cm[rise]))


def vertex(x: Array, y: Array, index: int) -> tuple[float, float]:
    """Position and height of the parabola through three points around a local maximum."""
    if index == 0 or index == len(y) - 1:
        return float(x[index]), float(y[index])
    left, mid, right = (float(v) for v in y[index - 1 : index + 2])
    curvature = left - 2.0 * mid + right
    if curvature >= 0.0:
        return float(x[index]), mid
    shift = 0.5 * (left - right) / curvature
    return float(x[index] + shift * (x[1] - x[0])), mid - 0.25 * (left - right) * shift
