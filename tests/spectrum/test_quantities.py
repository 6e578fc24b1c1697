"""One table of quantities: gradients are those of the functions, every surface takes the same rows."""

from __future__ import annotations

import numpy as np
import pytest

from bec_md.errors import UsageError
from bec_md.spectrum import Spectrum, compute_spectrum
from bec_md.spectrum.output import columns
from bec_md.spectrum.quantities import QUANTITIES, Quantity, find_quantity, tabulated, unit_of_column
from bec_md.spectrum.response.direction import component
from tests.spectrum.exact import bare, langevin_oscillator


@pytest.fixture(scope="module")
def spectrum() -> Spectrum:
    v = 2.0 * langevin_oscillator(20000, 2.0, 500.0, 80.0, 10.0, 3)[1]
    return compute_spectrum(
        bare(v, 2.0, 300.0), temperature_k=300.0, resolution_cm=60.0, eps_inf=(2.0, 2.4, 3.0)
    )


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=lambda q: q.name)
def test_the_gradient_is_that_of_the_function(quantity: Quantity) -> None:
    nu = np.array([100.0, 420.0, 1300.0])
    eps = np.array([12.0 + 3.0j, -4.0 + 0.7j, 1.9 + 0.2j])
    for turn in (1e-6, 1e-6j):
        change = (quantity.of_eps(nu, eps + turn) - quantity.of_eps(nu, eps - turn)) / 2e-6
        expected = (quantity.gradient(nu, eps) * turn / 1e-6).real
        # central differences of step 1e-6: third derivatives below 1e-9, rounding 1e-10
        np.testing.assert_allclose(change, expected, rtol=1e-6, atol=1e-8 * np.max(np.abs(expected) + 1.0))


@pytest.mark.parametrize("name", QUANTITIES)
def test_get_along_an_axis_is_the_function_of_that_element(spectrum: Spectrum, name: str) -> None:
    row, eps = QUANTITIES[name], np.asarray(spectrum.eps)[:, 2, 2]
    given = eps if row.needs_eps_inf else eps - 3.0
    expected = row.of_eps(spectrum.wavenumber_cm, given)
    np.testing.assert_allclose(spectrum.get(name, along="z"), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(spectrum.get(name, along=(0.0, 0.0, 1.0)), spectrum.get(name, along="z"))


def test_one_route_to_the_error_of_a_component(spectrum: Spectrum) -> None:
    z = spectrum.along("z")
    zz = spectrum.along(component("zz"))
    for name in QUANTITIES:
        np.testing.assert_array_equal(z.error(name), zz.error(name))
    np.testing.assert_allclose(z.error("sigma_real"), spectrum.sigma_real_err[:, 2, 2], rtol=1e-12)
    xz = spectrum.along(component("xz"))
    np.testing.assert_allclose(xz.get("eps_imag"), spectrum.eps_imag_tensor[:, 0, 2], rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(xz.error("sigma_real"), spectrum.sigma_real_err[:, 0, 2], rtol=1e-12)
    assert not xz.positive
    assert z.positive


def test_names_short_names_and_unknown_names() -> None:
    assert find_quantity("R").name == "reflectivity"
    assert find_quantity("alpha").name == "alpha_cm"
    with pytest.raises(UsageError, match="did you mean 'reflectivity'"):
        find_quantity("reflectivty")


def test_tables_hold_every_row_with_its_error_and_unit(spectrum: Spectrum) -> None:
    table = columns(spectrum)
    for row in tabulated(with_eps_inf=True):
        assert row.column in table
        assert unit_of_column(row.column) == row.unit
        if row.unit != "S/m":
            assert unit_of_column(f"{row.column}_total_err") == row.unit
            assert f"{row.column}_err" in table
    assert unit_of_column("n_alpha_cm_err[Si]") == "cm^-1"
    # names and order on which scripts depend
    leading = (
        "wavenumber_cm n_alpha_cm n_alpha_cm_err sigma_real_s_per_m eps_imag eps_imag_err eps_real n kappa"
    )
    assert list(table)[:12] == [*leading.split(), "alpha_cm", "reflectivity", "loss"]
