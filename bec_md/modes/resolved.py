r"""The spectrum resolved into modes: :math:`J(t) = \sum_m \tilde Z_m \dot Q_m(t) + J_\mathrm{rest}(t)`.

Each mode is a group in the sense of `bec_md.spectrum`: its share is the cross-spectrum with the TOTAL
current, so that the shares and the rest (dependence of the charges on the displacements, other wave vectors)
add up to the spectrum exactly. Modes closer than `degeneracy_cm` are one group: within it eigenvectors are
arbitrary.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array, brief_repr
from bec_md.current.replicas import common_constraints
from bec_md.current.series import CurrentSeries
from bec_md.errors import BecMDWarning, DataError
from bec_md.modes.projection import ModeVelocities
from bec_md.modes.units import check_frequencies
from bec_md.units import PLASMA_FREQUENCY2_FS2, angular_frequency_from_wavenumber

if TYPE_CHECKING:
    from bec_md.spectrum import Spectrum

Indices = NDArray[np.int64]
REST = "rest"
#: Directions in which the modes of one frequency move by less than this share of the most are not regressed.
TOLD_APART = 0.05
_NAN = float("nan")
_NO_FIT = (_NAN, _NAN, _NAN, _NAN)


@dataclass(frozen=True)
class ModeGroup:
    r"""Modes of one frequency.

    Parameters
    ----------
    label
        Name of the group in `ModeSpectrum.spectrum`.
    modes
        Indices into the reference.
    harmonic_cm
        Mean frequency of the reference.
    position_cm, position_err_cm, width_cm, width_err_cm
        Lorentz fit of the velocity spectrum of the modes: renormalized frequency and linewidth (full width
        at half maximum) with standard errors, the resolution taken off; NaN if the fit failed.
    charge
        (3,) root sum of squares of the mode effective charges along x, y, z, e/√amu.
    delta_eps
        Contribution to the static ε, tr/3: :math:`\sum \tilde Z^2/(3 V ε_0 ω^2)` at `position_cm`.
    temperature_k
        Mean kinetic temperature.
    """

    label: str
    modes: tuple[int, ...]
    harmonic_cm: float
    position_cm: float
    position_err_cm: float
    width_cm: float
    width_err_cm: float
    charge: tuple[float, float, float]
    delta_eps: float
    temperature_k: float


@dataclass(frozen=True, eq=False)
class ModeSpectrum:
    """Result of `resolve_modes`.

    Parameters
    ----------
    groups
        One per frequency of the reference.
    mode_charges
        (M, 3) mode effective charges per reference cell, e/√amu.
    spectrum
        The spectrum of the total current, with ``partial_n_alpha`` by infrared-active group and "rest".
    """

    groups: tuple[ModeGroup, ...]
    mode_charges: Array
    spectrum: Spectrum

    __repr__ = brief_repr

    @property
    def shares(self) -> Mapping[str, Array]:
        """Return nα of each active group and of the rest, cm⁻¹; they sum to ``spectrum.n_alpha``."""
        return self.spectrum.partial_n_alpha

    def eps_shares(self) -> dict[str, NDArray[np.complex128]]:
        r"""Return the share of each active group and of the rest in ε(ω) − ε_∞ (isotropic, complex).

        :math:`ε_2 = nα/(2π\tilde ν)`; ε₁ follows from it by Kramers–Kronig. Both are linear: the shares sum
        to the whole as far as the spectrum reaches (leave out ``max_cm`` for its full range).
        """
        nu = self.spectrum.wavenumber_cm
        names = list(self.shares)
        absorptive = np.stack([self.shares[name] for name in names]) / (2.0 * np.pi * nu)
        complex_shares = real_part(nu, absorptive) + 1j * absorptive
        return dict(zip(names, complex_shares, strict=True))


def real_part(wavenumber_cm: Array, absorptive: Array) -> Array:
    r"""ε₁ − ε_∞ from ε₂ on a uniform grid by Kramers–Kronig.

    :math:`ε_1(ω_i) − ε_∞ = (4Δω/π) \sum_k ω_k ε_2(ω_k)/(ω_k^2 − ω_i^2)` over the points at odd distance from
    i, which leaves the pole out symmetrically (Maclaurin's formula; Ohta and Ishida 1988).

    Parameters
    ----------
    wavenumber_cm
        (F,) multiples of their step, from one on.
    absorptive
        (G, F) ε₂ of G spectra.

    Returns
    -------
    (G, F)
    """
    step = float(wavenumber_cm[1] - wavenumber_cm[0])
    weighted = absorptive * wavenumber_cm
    squares = wavenumber_cm**2
    out = np.empty_like(weighted)
    for parity in (0, 1):
        from_, to = slice(1 - parity, None, 2), np.arange(parity, len(squares), 2)
        for block in np.array_split(to, max(1, len(to) // 512)):
            kernel = 1.0 / (squares[from_, None] - squares[None, block])  # (F/2, block)
            out[:, block] = (4.0 * step / np.pi) * (weighted[:, from_] @ kernel)
    # the point ω = 0, which the grid leaves out, has half a weight; ωε₂ is flat there
    out[:, ::2] -= (2.0 * step / np.pi) * weighted[:, :1] / squares[::2]
    return out


def fitted_charges(velocities: Array, current: Array, groups: Sequence[Indices]) -> Array:
    r"""Mode charges of a run, (M, 3), e/√amu: regression of J on the velocities of the modes.

    They need no tensors and contain their mean change with temperature; noise is 1/√(independent samples).
    Modes of one frequency keep their phases for as long as nothing scatters them, and are regressed together:
    each alone would take what the others carry as well.

    Parameters
    ----------
    velocities
        (T, M), √amu Å/fs.
    current
        (T, 3), e Å/fs.
    groups
        Modes of one frequency each.

    Warns
    -----
    BecMDWarning
        Where modes of one frequency move in step, so that their charges cannot be told apart.
    """
    out = np.zeros((velocities.shape[1], 3))
    together = []
    for group in groups:
        moving = velocities[:, group]
        norms = np.linalg.norm(moving, axis=0)
        norms[norms == 0.0] = 1.0
        scaled = moving / norms
        values, vectors = np.linalg.eigh(scaled.T @ scaled)
        kept = values > TOLD_APART * values[-1]
        inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
        out[group] = inverse @ (scaled.T @ current) / norms[:, None]
        if not kept.all():
            together.append(group)
    if together:
        which = "; ".join(", ".join(str(int(mode)) for mode in group) for group in together[:3])
        warnings.warn(
            BecMDWarning(
                f"modes {which}{' …' if len(together) > 3 else ''} move in step: their charges and Δε, which "
                "are fitted to J, are only those of the smallest sum of squares. Charges that do not change, "
                "or a run in which modes exchange energy, would tell them apart"
            ),
            stacklevel=3,
        )
    return out


def resolve_modes(
    velocities: ModeVelocities,
    current: CurrentSeries,
    *,
    charges: Array | None = None,
    temperature_k: float | None = None,
    degeneracy_cm: float = 1.0,
    active_share: float = 1e-4,
    linewidths: bool = True,
    **options: Any,
) -> ModeSpectrum:
    """Resolve the spectrum of a current into the modes of a reference.

    Parameters
    ----------
    velocities
        From `mode_velocities`, of the same frames as `current`.
    current
        The total current, from any source of charges.
    charges
        (n, 3, 3) tensors of the reference atoms (`ModeVelocities.reference_tensors`), for the mode charges;
        by default they are fitted to the current.
    temperature_k
        Of the motion, K; by default as in `compute_spectrum`.
    degeneracy_cm
        Modes closer than this, in cm⁻¹, are one group.
    active_share
        Groups with less than this share of Σ|Z̃|² go to the rest.
    linewidths
        Fit the velocity spectrum of every group.
    **options
        For `compute_spectrum`: resolution_cm, eps_inf, max_cm, sum_rule …

    Returns
    -------
    ModeSpectrum
        Spectrum of every group of modes, and of what no mode explains.

    Raises
    ------
    DataError
        If the two series do not belong together, or the modes have not the frequencies of the motion.
    """
    from bec_md.spectrum import compute_spectrum

    _check(velocities, current)
    check_frequencies(velocities)
    rule = options.pop("sum_rule", "mass")
    total = current.total(rule)
    per_cell = np.sqrt(velocities.n_cells)
    groups = velocities.modes.degenerate(degeneracy_cm)
    if charges is None:
        # per supercell: √N_c times that of a cell
        found = fitted_charges(velocities.velocities, total, groups)
    else:
        found = per_cell * velocities.modes.mode_charges(charges)
    strength = np.array([float(np.sum(found[g] ** 2)) for g in groups])
    active = strength > active_share * float(strength.sum())
    labels = _labels(velocities.modes.frequencies_cm, groups)
    parts = [velocities.velocities[:, g] @ found[g] for g, a in zip(groups, active, strict=True) if a]
    parts.append(total - np.sum(parts, axis=0) if parts else total)
    names = (*(n for n, a in zip(labels, active, strict=True) if a), REST)
    kinetic = current.kinetic_temperature(options.pop("constraints", 0) or common_constraints([current]))
    stated = current.temperature_k
    if stated is None and kinetic is not None and current.scheme == "velocity":
        stated = kinetic[0]
    series = CurrentSeries(
        current=np.stack(parts, axis=1),
        groups=names,
        timestep_fs=current.timestep_fs,
        volume_ang3=current.volume_ang3,
        cell_ang=current.cell_ang,
        scheme=current.scheme,
        temperature_k=stated,
        metadata={**current.metadata, "constraints": 0},  # they are in the temperature already
    )
    spectrum = compute_spectrum(series, temperature_k=temperature_k, sum_rule="none", **options)
    resolution = float(spectrum.parameters["resolution_cm"])
    temperatures = velocities.temperatures()
    rows = []
    for label, group in zip(labels, groups, strict=True):
        harmonic = float(velocities.modes.frequencies_cm[group].mean())
        fit = _NO_FIT
        if linewidths and harmonic > 2.0 * resolution:
            fit = fit_line(velocities, group, harmonic, resolution)
        rows.append(_row(label, group, harmonic, fit, found[group], current.volume_ang3, temperatures[group]))
    return ModeSpectrum(tuple(rows), found / per_cell, spectrum)


def _row(
    label: str,
    group: Indices,
    harmonic: float,
    fit: tuple[float, float, float, float],
    charges: Array,
    volume: float,
    temperatures: Array,
) -> ModeGroup:
    position = fit[0] if np.isfinite(fit[0]) else harmonic
    omega = float(angular_frequency_from_wavenumber(position))
    squares = np.sum(charges**2, axis=0)
    delta = PLASMA_FREQUENCY2_FS2 / volume * float(squares.sum()) / 3.0 / omega**2 if omega > 0.0 else np.nan
    x, y, z = np.sqrt(squares).tolist()
    members = tuple(int(i) for i in group)
    temperature = float(np.mean(temperatures))
    return ModeGroup(label, members, harmonic, fit[0], fit[1], fit[2], fit[3], (x, y, z), delta, temperature)


def _check(velocities: ModeVelocities, current: CurrentSeries) -> None:
    same = velocities.velocities.shape[0] == current.n_frames and velocities.scheme == current.scheme
    if not same or abs(velocities.timestep_fs - current.timestep_fs) > 1e-6 * current.timestep_fs:
        raise DataError(
            f"{velocities.velocities.shape[0]} mode velocities ({velocities.scheme}, every "
            f"{velocities.timestep_fs:g} fs) and {current.n_frames} currents ({current.scheme}, every "
            f"{current.timestep_fs:g} fs)",
            "both must come from the same frames",
            "compute them from the same trajectory with the same start, stop and stride",
        )


def _labels(frequencies: Array, groups: list[Indices]) -> list[str]:
    labels: list[str] = []
    for group in groups:
        base = f"{frequencies[group].mean():.1f}" + (f" ×{len(group)}" if len(group) > 1 else "")
        label, number = base, 1
        while label in labels:
            number += 1
            label = f"{base} ({number})"
        labels.append(label)
    return labels


def fit_line(
    velocities: ModeVelocities, group: Indices, guess_cm: float, resolution_cm: float
) -> tuple[float, float, float, float]:
    """Position and width with errors of the velocity spectrum of a group of modes, cm⁻¹.

    The modes take the places of Cartesian components (three to a series, more series as replicas): the
    spectrum is their mean and its errors know how many there are. NaN if there is no peak to fit.
    """
    from bec_md.errors import BecMDError
    from bec_md.spectrum import compute_spectrum
    from bec_md.spectrum.analysis.fits import fit_lorentz

    series = []
    for start in range(0, len(group), 3):
        members = group[start : start + 3]
        data = np.zeros((len(velocities.velocities), 1, 3))
        data[:, 0, : len(members)] = velocities.velocities[:, members]
        series.append(
            CurrentSeries(
                data, ("mode",), velocities.timestep_fs, velocities.volume_ang3, scheme=velocities.scheme
            )
        )
    top = guess_cm + max(0.5 * guess_cm, 20.0 * resolution_cm)
    try:
        spectrum = compute_spectrum(
            series, temperature_k=300.0, resolution_cm=resolution_cm, max_cm=top, dc=False, groups=False
        )
        position = float(spectrum.wavenumber_cm[int(np.argmax(spectrum.n_alpha))])
        low = max(position - max(0.4 * position, 10.0 * resolution_cm), 0.0)
        fit = fit_lorentz(spectrum, [position], min_cm=low, max_cm=top)
    except (BecMDError, np.linalg.LinAlgError):
        return _NO_FIT
    return (
        float(fit.bands[0, 0]),
        float(fit.errors[0, 0]),
        float(fit.bands[0, 1]),
        float(fit.errors[0, 1]),
    )
