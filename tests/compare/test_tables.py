"""Tables as instruments and other programs write them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bec_md.compare import open_curve
from bec_md.errors import DataError
from bec_md.units import CM_PER_THZ

TABLES = {
    "decimal commas": ("wavenumber_cm;n;k", "{0:.4f};{1:.4f};{2:.4f}", ","),
    "decimal commas between tabs": ("Wavelength, µm\tn\tk", "{3:.8f}\t{1:.4f}\t{2:.4f}", ","),
    "semicolons at the end": ("Wellenzahl (cm-1); n; k;", "{0:.4f}; {1:.4f}; {2:.4f};", "."),
    "units below, titles above": (
        "Sample 7, ordinary ray\nmeasured by hand\nWavelength,n,k,\nnm,,-,",
        "{4:.8f},{1:.4f},{2:.4f},",
        ".",
    ),
    "units below, between tabs": (
        "Wavenumber\tn\tk\tRemark\n(cm-1)\t\t1\t",
        "{0:.4f}\t{1:.4f}\t{2:.4f}\t",
        ".",
    ),
    "units of what has none": ("Frequency, 1/cm\tn (-)\tk (-)", "{0:.4f}\t{1:.4f}\t{2:.4f}", "."),
    "comment of another program": ("% Frequency (GHz)  eps1  eps2", "{5:.8f} {6:.8f} {7:.8f}", "."),
    "exponents of Fortran": ("cm-1 n k", "{0:.6E} {1:.6E} {2:.6E}", "D"),
}


@pytest.mark.parametrize("layout", TABLES)
def test_tables_as_instruments_and_programs_write_them(tmp_path: Path, layout: str) -> None:
    head, row, mark = TABLES[layout]
    nu, n, k = np.linspace(1200.5, 300.5, 10), np.full(10, 1.25), np.linspace(0.5, 0.125, 10)
    columns = (nu, n, k, 1e4 / nu, 1e7 / nu, nu / CM_PER_THZ * 1e3, n**2 - k**2, 2 * n * k)
    rows = [row.format(*values) for values in zip(*columns, strict=True)]
    rows = [text.replace(".", ",") if mark == "," else text.replace("E", mark) for text in rows]
    path = tmp_path / "measured.txt"
    path.write_text("\n".join([head, *rows]) + "\n")
    found = open_curve(path, "kappa")
    np.testing.assert_allclose(found.wavenumber_cm, nu[::-1], rtol=1e-6)
    np.testing.assert_allclose(found.values, k[::-1], atol=1e-4)


def test_commas_that_may_part_thousands_are_no_decimal_ones(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("wavenumber_cm;n\n" + "".join(f"{nu},000;1\n" for nu in range(1, 9)))
    with pytest.raises(DataError, match="not a table"):
        open_curve(path, "n")


def test_empty_cells_and_percent(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("wavenumber_cm,R (%)\n100,\n200,0.9\n300,50\n400,nan\n500,25\n600,1\n,\n")
    found = open_curve(path, "reflectivity")
    np.testing.assert_allclose(found.wavenumber_cm, [200.0, 300.0, 500.0, 600.0])
    np.testing.assert_allclose(found.values, [0.009, 0.5, 0.25, 0.01])
    path.write_text(
        "cm-1\tn\tk\n100\t1.5\t0.1\n200\t\t0.1\n300\t1.5\t\n400\t1.5\t0.1\n500\t2\t0.1\n600\t1\t0.1\n"
    )
    assert open_curve(path, "n_alpha").wavenumber_cm.tolist() == [100.0, 400.0, 500.0, 600.0]
    path.write_text("cm-1\t\tn\t\tk\n" + "100\t\t1.5\t\t0.1\n" * 4 + "500\t\t2\n")  # which is missing?
    with pytest.raises(DataError, match="not a table"):
        open_curve(path, "n")
    path.write_text("cm-1,n_alpha_cm,n_alpha_cm_err\n1,3,0.1\n2,3,\n3,3,0.1\n4,3,0.1\n5,3,0.2\n")
    assert open_curve(path, "n_alpha").errors.tolist() == [0.1, 0.1, 0.1, 0.2]  # all points have one, or none
    path.write_text("wavenumber_cm,n,k\n100,,0.1\n200,nan,0.2\n300,,0.3\n400,,0.4\n")
    with pytest.raises(DataError, match="no row with a frequency and a value of n"):
        open_curve(path, "n")


@pytest.mark.parametrize(
    ("head", "quantity"), [("thz,n,alpha_cm", "n_alpha"), ("thz,n_alpha_cm", "eps_imag")]
)
def test_tables_that_begin_at_zero(tmp_path: Path, head: str, quantity: str) -> None:
    rows = [f"{thz},2,{10 * thz}" if "n," in head else f"{thz},{20 * thz}" for thz in range(6)]
    path = tmp_path / "x.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    found = open_curve(path, quantity)
    nu = CM_PER_THZ * np.arange(1, 6)
    np.testing.assert_allclose(found.wavenumber_cm, nu)
    expected = 20.0 * np.arange(1, 6) / (1.0 if quantity == "n_alpha" else 2.0 * np.pi * nu)
    np.testing.assert_allclose(found.values, expected)
