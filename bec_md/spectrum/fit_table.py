"""Fits of all bands of a spectrum without a first guess, as plain numbers."""

from __future__ import annotations

from typing import Any

from bec_md.errors import UsageError
from bec_md.spectrum.bands import band_frequencies
from bec_md.spectrum.fits import fit_four_parameter, fit_lorentz
from bec_md.spectrum.spectrum import Spectrum


def fit_bands(spectrum: Spectrum, model: str) -> dict[str, Any]:
    """Fit every significant band; first guesses are the peaks of nα, or the maxima of ε₂ and of the loss.

    Parameters
    ----------
    spectrum
        The spectrum, with ε_∞ for the four-parameter model.
    model
        "lorentz" or "four-parameter".

    Returns
    -------
    dict
        model, chi2_reduced, eps_inf and bands: a list of name → value and name_err → standard error.

    Raises
    ------
    UsageError
        If there is no significant band, or no pair of TO and LO.
    """
    if model == "lorentz":
        found = fit_lorentz(spectrum)
    else:
        pairs = band_frequencies(spectrum).pairs()
        if not pairs:
            raise UsageError(
                "no pair of TO and LO stands out of the noise",
                "the four-parameter fit starts from the maxima of ε₂ and of −Im(1/ε)",
                "run longer, or use a coarser --resolution",
            )
        found = fit_four_parameter(spectrum, pairs)
    bands = []
    for values, errors in zip(found.bands, found.errors, strict=True):
        band: dict[str, float] = {}
        for name, value, error in zip(found.names, values, errors, strict=True):
            band[name], band[f"{name}_err"] = float(value), float(error)
        bands.append(band)
    return {
        "model": found.model,
        "chi2_reduced": float(found.chi2_reduced),
        "eps_inf": float(found.eps_inf),
        "bands": bands,
    }
