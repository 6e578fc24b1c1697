"""Fits of all bands of a spectrum without a first guess, direction by direction, as plain numbers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from bec_md.errors import BecMDWarning, UsageError
from bec_md.spectrum.analysis.axes import principal_directions
from bec_md.spectrum.analysis.fits import OscillatorFit, fit_four_parameter, fit_lorentz
from bec_md.spectrum.analysis.peak import find_spectrum_peaks
from bec_md.spectrum.response.direction import Direction, to_direction
from bec_md.spectrum.spectrum import Spectrum

#: The fit ends at this multiple of the highest band: beyond it there is only noise and weak absorption.
RANGE = 1.35
#: σ_dc in standard errors from which on it is one.
SIGNIFICANT = 5.0


def fit_bands(
    spectrum: Spectrum, model: str, directions: Sequence[Direction | str | Sequence[float]] = ()
) -> dict[str, Any]:
    """Fit every significant band along every direction; first guesses are the peaks of nα.

    Parameters
    ----------
    spectrum
        The spectrum, with ε_∞ for the four-parameter model.
    model
        "lorentz" or "four-parameter".
    directions
        By default the principal axes that the spectrum shows, equal ones merged
        (`bec_md.spectrum.analysis.axes.principal_directions`).

    Returns
    -------
    dict
        model; directions: a list of direction, eps_inf and chi2_reduced; bands: a list of direction,
        name → value and name_err → standard error.

    Raises
    ------
    UsageError
        If no direction has a significant band.

    Warns
    -----
    BecMDWarning
        Where what is fitted holds a DC conductivity.
    """
    chosen = [to_direction(d) for d in directions] or list(principal_directions(spectrum))
    found = [fit for direction in chosen if (fit := _fit(spectrum, model, direction)) is not None]
    if not found:
        raise UsageError(
            "no band stands out of the noise",
            "the fit starts from the significant peaks of nα",
            "run longer, or use a coarser `resolution_cm`",
        )
    known = spectrum.parameters
    dc, err = (known.get(f"sigma_dc{part}_s_per_m") or 0.0 for part in ("", "_err"))
    if dc > SIGNIFICANT * err and not known.get("subtract_dc"):
        warnings.warn(
            BecMDWarning(
                f"σ_dc of {dc:.3g} S/m is in what is fitted, and oscillators have "
                "none: those found may describe free charges; `subtract_dc` leaves it out"
            ),
            stacklevel=2,
        )
    return {
        "model": found[0].model,
        "directions": [
            {
                "direction": fit.direction,
                "eps_inf": float(fit.eps_inf),
                "chi2_reduced": float(fit.chi2_reduced),
            }
            for fit in found
        ],
        "bands": [band for fit in found for band in _bands(fit)],
    }


def _fit(spectrum: Spectrum, model: str, direction: Direction) -> OscillatorFit | None:
    seen = spectrum.along(direction)
    resolution = float(spectrum.parameters["resolution_cm"])
    peaks = find_spectrum_peaks(spectrum.wavenumber_cm, seen.n_alpha, seen.n_alpha_err, resolution)
    if not peaks:
        return None
    top = RANGE * peaks[-1].wavenumber_cm + 5.0 * resolution
    if model == "lorentz":
        return fit_lorentz(spectrum, [p.wavenumber_cm for p in peaks], direction=direction, max_cm=top)
    return fit_four_parameter(spectrum, direction=direction, max_cm=top)


def _bands(fit: OscillatorFit) -> list[dict[str, Any]]:
    bands = []
    for values, errors in zip(fit.bands, fit.errors, strict=True):
        band: dict[str, Any] = {"direction": fit.direction}
        for name, value, error in zip(fit.names, values, errors, strict=True):
            band[name], band[f"{name}_err"] = float(value), float(error)
        bands.append(band)
    return bands
