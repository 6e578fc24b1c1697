r"""Spectra of one motion with several kinds of charges, and how significant their differences are.

Both spectra come from the same velocities, so that most of their noise is common. The difference of two
power spectra is one cross-spectrum,

.. math:: S_{dd} - S_{vv} = \mathrm{Re}\, S_{d-v,\,d+v},

whose standard error is known like that of any partial spectrum: it, not the error of either spectrum, says
whether the charges make a difference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.current.series import CurrentSeries
from bec_md.errors import DataError
from bec_md.spectrum.analysis.fits import integrate_band
from bec_md.spectrum.compute import DEFAULTS, compute_spectrum

if TYPE_CHECKING:
    from bec_md.current.series import SumRule
    from bec_md.spectrum.options import SpectrumOptions
    from bec_md.spectrum.spectrum import Spectrum


@dataclass(frozen=True)
class ChargeVariant:
    """One kind of charges against the reference.

    Parameters
    ----------
    name
        What the charges are.
    zz_over_mass
        Integrated absorption as Σtr(ZZᵀ)/m per cell, e²/amu.
    intensity_ratio, intensity_ratio_err
        Integrated absorption over that of the reference, and the standard error (noise in common removed).
    changed_share
        ∫|Δnα| over ∫nα of the reference.
    significant_share
        Share of the reference's absorption at wavenumbers where |Δnα| exceeds two standard errors of the
        difference; 0.05 by chance.
    largest_delta, largest_delta_z, largest_delta_cm
        Largest significant difference of nα in cm⁻¹, in standard errors of the difference, and where.
    sigma_dc_s_per_m, sigma_dc_err_s_per_m
        DC conductivity and its standard error, S/m; None for an insulator.
    """

    name: str
    zz_over_mass: float
    intensity_ratio: float
    intensity_ratio_err: float
    changed_share: float
    significant_share: float
    largest_delta: float
    largest_delta_z: float
    largest_delta_cm: float
    sigma_dc_s_per_m: float | None = None
    sigma_dc_err_s_per_m: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


@dataclass(frozen=True)
class ChargeComparison:
    """Spectra by kind of charges, the first being the reference, and the table of differences."""

    spectra: Mapping[str, Spectrum]
    table: tuple[ChargeVariant, ...]

    def to_list(self) -> list[dict[str, Any]]:
        """Plain numbers for JSON."""
        return [row.to_dict() for row in self.table]


def compare_charges(
    currents: Mapping[str, Sequence[CurrentSeries]],
    *,
    options: SpectrumOptions = DEFAULTS,
    **changes: Any,
) -> ChargeComparison:
    """Spectra of the same motion with several kinds of charges, and what distinguishes them.

    Parameters
    ----------
    currents
        Name → replicas; the first is the reference. Replicas must hold the same samples for every name.
    options
        Of `compute_spectrum`.
    **changes
        Fields of `SpectrumOptions` by name, which replace those of `options`.

    Raises
    ------
    DataError
        If the numbers of samples differ.
    """
    chosen = options.changed(**changes)
    spectra: dict[str, Spectrum] = {}
    for name, series in currents.items():
        spectra[name] = compute_spectrum(list(series), options=chosen)
        chosen = chosen.changed(temperature_k=spectra[name].temperature_k)
    first, reference = next(iter(spectra.items()))
    table = [_row(first, reference, None)]
    paired = chosen.changed(
        sum_rule="none",
        resolution_cm=reference.parameters["resolution_cm"],
        groups=True,
        dc=False,
        **{name: getattr(DEFAULTS, name) for name in ("group_matrix", "subtract_dc", "constraints")},
    )
    for name, spectrum in list(spectra.items())[1:]:
        pairs = [_paired(a, b, chosen.sum_rule) for a, b in zip(currents[first], currents[name], strict=True)]
        difference = compute_spectrum(pairs, options=paired)
        table.append(_row(name, spectrum, difference, reference))
    return ChargeComparison(spectra, tuple(table))


def _paired(reference: CurrentSeries, other: CurrentSeries, sum_rule: SumRule) -> CurrentSeries:
    """Series of the groups d − v and 2v, whose total is d + v."""
    if reference.n_frames != other.n_frames:
        raise DataError(
            f"{other.n_frames} samples against {reference.n_frames}",
            "both currents must come from the same frames",
            "compute both from the whole trajectory",
        )
    d, v = reference.total(sum_rule), other.total(sum_rule)
    return CurrentSeries(
        np.stack([d - v, 2.0 * v], axis=1),
        ("difference", "twice"),
        reference.timestep_fs,
        reference.volume_ang3,
        scheme=reference.scheme,
    )


def _row(
    name: str, spectrum: Spectrum, difference: Spectrum | None, reference: Spectrum | None = None
) -> ChargeVariant:
    nu = spectrum.wavenumber_cm
    strength = integrate_band(spectrum, 0.0, float(nu[-1])).zz_over_mass
    if difference is None or reference is None:
        return ChargeVariant(name, strength, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, *_sigma_dc(spectrum))
    whole = max(float(reference.n_alpha.sum()), 1e-300)
    delta = difference.partial_n_alpha["difference"]
    error = difference.partial_n_alpha_err["difference"]
    rounding = 1e-12 * float(reference.n_alpha.max())
    z = np.divide(delta, error, out=np.zeros_like(delta), where=error > rounding)
    # neighbors share noise over the bandwidth
    points = float(spectrum.parameters["equivalent_noise_bandwidth_cm"]) / float(nu[1] - nu[0])
    ratio_err = float(np.sqrt(points * np.sum(error**2))) / whole
    at = int(np.argmax(np.abs(delta) * (np.abs(z) > min(2.0, float(np.abs(z).max())))))
    return ChargeVariant(
        name,
        strength,
        float(spectrum.n_alpha.sum()) / whole,
        ratio_err,
        float(np.abs(delta).sum()) / whole,
        float(reference.n_alpha[np.abs(z) > 2.0].sum()) / whole,
        float(-delta[at]),
        float(-z[at]),
        float(nu[at]),
        *_sigma_dc(spectrum),
    )


def _sigma_dc(spectrum: Spectrum) -> tuple[float | None, float | None]:
    value, error = (spectrum.parameters.get(f"sigma_dc{part}_s_per_m") for part in ("", "_err"))
    return (None, None) if value is None or error is None else (float(value), float(error))
