"""Model uncertainty of every optical function: the spread over members, apart from sampling."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bec_md.errors import UsageError
from bec_md.spectrum import load_spectrum, write_hdf5
from bec_md.spectrum.compute import compute_spectrum
from bec_md.spectrum.output import columns
from bec_md.spectrum.quantities import tabulated
from bec_md.spectrum.spectrum import Spectrum
from tests.spectrum.exact import bare, langevin_oscillator

OPTIONS = {"temperature_k": 300.0, "resolution_cm": 60.0, "max_cm": 1500.0, "eps_inf": 2.4}
SCALES = np.array([0.95, 1.0, 1.05])

NAMES = [q.name for q in tabulated(with_eps_inf=True)]


def ensemble(**metadata: float) -> Spectrum:
    v = 2.0 * langevin_oscillator(20000, 2.0, 500.0, 80.0, 10.0, 3)[1]
    members = v[:, None, :] * SCALES[:, None]
    return compute_spectrum(bare(v, 2.0, 300.0, member_current=members, metadata=metadata), **OPTIONS)


@pytest.fixture(scope="module")
def spectrum() -> Spectrum:
    return ensemble()


@pytest.mark.parametrize("quantity", NAMES)
def test_the_error_is_the_spread_of_spectra_computed_with_each_member(
    spectrum: Spectrum, quantity: str
) -> None:
    v = 2.0 * langevin_oscillator(20000, 2.0, 500.0, 80.0, 10.0, 3)[1]
    alone = [compute_spectrum(bare(v * s, 2.0, 300.0), **OPTIONS).get(quantity) for s in SCALES]
    expected = np.std(alone, axis=0, ddof=1)
    # the same numbers by another way: rounding, relative to the largest
    np.testing.assert_allclose(spectrum.model_error(quantity), expected, atol=1e-10 * np.max(np.abs(alone)))
    combined = np.hypot(spectrum.error(quantity), expected)
    np.testing.assert_allclose(spectrum.total_error(quantity), combined, rtol=1e-6, atol=1e-12)


def test_small_spreads_follow_from_first_order(spectrum: Spectrum) -> None:
    # σ_m = s² σ: δε = i(s²−1)σ/(ε₀ω), δn = Re[δε/(2√ε)]; the spread of s² of these members is 0.1
    chi = spectrum.eps_iso - 2.4
    first = 0.1 * np.abs((0.5 * chi / np.sqrt(spectrum.eps_iso)).real)
    # second order is a tenth of the first where ε is small
    assert np.median(np.abs(np.asarray(spectrum.model_error("n")) - first) / first) < 0.05


def test_calibration_of_the_ensemble_enters_and_is_recorded(spectrum: Spectrum) -> None:
    wide = ensemble(uncertainty_scale=1.7)
    assert wide.parameters["model_uncertainty_scale"] == 1.7
    for quantity in NAMES:
        np.testing.assert_allclose(
            np.asarray(wide.model_error(quantity)),
            1.7 * np.asarray(spectrum.model_error(quantity)),
            rtol=1e-12,
        )
    np.testing.assert_allclose(wide.model_err, wide.model_error("n_alpha"), rtol=1e-12)


def test_files_carry_both_errors_and_the_members(spectrum: Spectrum, tmp_path: Path) -> None:
    table = columns(spectrum)
    for name in ("n_alpha_cm", "eps_imag", "n", "kappa", "alpha_cm", "reflectivity", "loss"):
        combined = np.hypot(table[f"{name}_err"], table[f"{name}_model_err"])
        np.testing.assert_allclose(table[f"{name}_total_err"], combined, rtol=1e-9)
    write_hdf5(spectrum, tmp_path / "a.h5")
    again = load_spectrum(tmp_path / "a.h5")
    np.testing.assert_array_equal(again.member_sigma, spectrum.member_sigma)
    np.testing.assert_array_equal(again.model_error("loss"), spectrum.model_error("loss"))


def test_what_needs_eps_inf_says_so(spectrum: Spectrum) -> None:
    without = replace(spectrum, eps_inf=None)
    assert without.model_error("eps_imag") is not None
    with pytest.raises(UsageError, match="ε_∞"):
        without.model_error("n")
    with pytest.raises(UsageError, match="no quantity"):
        spectrum.model_error("nonsense")
    assert replace(spectrum, member_sigma=None, model_err=None).model_error("n") is None
