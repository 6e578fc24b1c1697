"""Measured files: one reader for comparisons and figures, band against band, sentences where nothing fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bec_md.cli.app import app
from bec_md.cli.plot_command import read_curves
from bec_md.compare import Curve, compare, open_curve
from bec_md.current.series import CurrentSeries
from bec_md.errors import DataError, UsageError
from bec_md.spectrum import Spectrum, compute_spectrum, write_csv, write_hdf5
from bec_md.spectrum.analysis.bands import band_frequencies
from bec_md.units import CM_PER_THZ, MEV_PER_CM, PLASMA_FREQUENCY2_FS2
from bec_md.validate import langevin
from bec_md.validate.expectation import omega_fs
from tests.plot.oscillators import oscillator_spectrum

EPS_INF, DELTA = 2.33, 3.4


@pytest.fixture(scope="module")
def rock_salt() -> Spectrum:
    """One band at 156 cm⁻¹, as a potential gives NaCl."""
    w, width = omega_fs(np.array([156.0, 8.0]))
    _, v = langevin.oscillators(12000, 4.0, np.full(3, w), float(width), 300.0, np.random.default_rng(3))
    series = CurrentSeries(v[:, None, :], ("NaCl",), 4.0, PLASMA_FREQUENCY2_FS2 / DELTA / w**2)
    return compute_spectrum(
        series, temperature_k=300.0, eps_inf=EPS_INF, resolution_cm=8.0, max_cm=600.0, dc=False
    )


def measured(quantity: str, to_cm: float = 160.0) -> Curve:
    """The band of the experiment, 160 cm⁻¹, with wings of two phonons that no classical band has."""
    from bec_md.compare.curve import from_index

    nu = np.linspace(5.0, 600.0, 1200)
    eps = EPS_INF + DELTA * to_cm**2 / (to_cm**2 - nu**2 - 6.0j * nu)
    eps += 0.08 * 260.0**2 / (260.0**2 - nu**2 - 60.0j * nu)
    n = np.sqrt(eps)
    return Curve("experiment", quantity, nu, from_index(quantity, nu, n.real, n.imag))


def curve(s: Spectrum, quantity: str) -> Curve:
    bandwidth = float(s.parameters["equivalent_noise_bandwidth_cm"])
    return Curve("md", quantity, s.wavenumber_cm, s.get(quantity), s.error(quantity), 8.0, bandwidth)


def test_the_band_and_not_its_wings_is_fitted(rock_salt: Spectrum) -> None:
    found = compare(curve(rock_salt, "n_alpha"), measured("n_alpha"))
    stretch = next(f for f in found.fits if f.kind == "stretch")
    shift = next(f for f in found.fits if f.kind == "shift")
    assert stretch.frequency == pytest.approx(156.0 / 160.0, abs=4.0 * stretch.frequency_err)
    assert stretch.frequency_err < 0.01
    assert stretch.scale == pytest.approx(1.0, abs=4.0 * stretch.scale_err)
    assert shift.frequency == pytest.approx(-4.0, abs=4.0 * shift.frequency_err)


@pytest.mark.parametrize("quantity", ["reflectivity", "n", "eps_real"])
def test_errors_that_vanish_to_first_order_do_not_make_chi_square_absurd(
    rock_salt: Spectrum, quantity: str
) -> None:
    # in the reststrahlen plateau dR/dε → 0: without a floor χ² is a million
    found = compare(curve(rock_salt, quantity), measured(quantity))
    assert found.chi2_reduced is not None
    assert found.chi2_reduced < 100.0
    stretch = next(f for f in found.fits if f.kind == "stretch")
    assert 0.93 < stretch.frequency < 1.03


def test_frequencies_stay_near_the_ratio_of_the_bands_and_misfit_is_said(rock_salt: Spectrum) -> None:
    nu = np.linspace(5.0, 600.0, 1200)
    other = 3e4 * (np.exp(-(((nu - 150.0) / 4.0) ** 2)) + np.exp(-(((nu - 420.0) / 60.0) ** 2)))
    found = compare(curve(rock_salt, "n_alpha"), Curve("other", "n_alpha", nu, other))
    stretch = next(f for f in found.fits if f.kind == "stretch")
    assert 0.85 < stretch.frequency < 1.2
    assert "no factor and no shift of frequencies makes them agree" in found.verdict
    agreeing = compare(curve(rock_salt, "n_alpha"), curve(rock_salt, "n_alpha"))
    assert "no factor" not in agreeing.verdict


def test_a_weak_broad_maximum_is_no_transverse_mode() -> None:
    rng, parts, volume = np.random.default_rng(5), [], 300.0
    for position, width, strength in ((160.0, 8.0, 3.5), (300.0, 70.0, 0.08)):
        w, gamma = omega_fs(np.array([position, width]))
        _, v = langevin.oscillators(60000, 4.0, np.full(3, w), float(gamma), 300.0, rng)
        parts.append(v * np.sqrt(strength * w**2 * volume / PLASMA_FREQUENCY2_FS2))
    series = CurrentSeries(np.sum(parts, axis=0)[:, None], ("t",), 4.0, volume)
    s = compute_spectrum(
        series, temperature_k=300.0, eps_inf=EPS_INF, resolution_cm=8.0, max_cm=600.0, dc=False
    )
    found = band_frequencies(s)
    assert len(found.to_cm) == 1
    assert found.to_cm[0] == pytest.approx(160.0, abs=1.0)
    assert all(abs(v - 300.0) < 40.0 for v in found.sidebands_cm)


# --- files ----------------------------------------------------------------------------------------------
JCAMP = """##TITLE=made up
##JCAMP-DX=4.24
##DATA TYPE=INFRARED SPECTRUM
##XUNITS=1/CM
##YUNITS={unit}
##XFACTOR=1.0
##YFACTOR={factor}
##FIRSTX=400
##LASTX=412
##NPOINTS=7
##XYDATA=(X++(Y..Y))
{rows}
##END=
"""


@pytest.mark.parametrize(
    "rows",
    [
        "400 10 20 30 40\n408 50 50 50",  # AFFN
        "400+10+20+30+40\n408+50+50+50",  # PAC
        "400A0B0C0D0\n408E0E0E0",  # SQZ: A is +1
        "400A0J0J0J0\n406D0J0%%",  # DIF: J is +1, the first value of a line repeats the last one; % is 0
        "400A0J0U\n406D0J0%T",  # DIFDUP: U repeats three times in all, T twice
    ],
)
def test_jcamp_in_all_its_codes(tmp_path: Path, rows: str) -> None:
    path = tmp_path / "a.jdx"
    path.write_text(JCAMP.format(unit="ABSORBANCE", factor=0.01, rows=rows))
    found = open_curve(path, "alpha_cm")
    np.testing.assert_allclose(found.wavenumber_cm, np.linspace(400.0, 412.0, 7))
    np.testing.assert_allclose(found.values, [0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5])
    assert "thickness unknown" in found.note


def test_jcamp_tables_of_pairs_keep_their_abscissas(tmp_path: Path) -> None:
    """``XYDATA=(XY..XY)``: read as ordinates alone, they lay on a uniform grid."""
    x, y = [400.0, 401.0, 403.0, 404.5, 407.0, 410.0, 412.0], [1.0, 2.0, 3.0, 4.0, 5.0, 4.0, 3.0]
    text = JCAMP.format(
        unit="ABSORBANCE", factor=0.01, rows="\n".join(f"{a} {b}" for a, b in zip(x, y, strict=True))
    )
    path = tmp_path / "a.jdx"
    path.write_text(text.replace("(X++(Y..Y))", "(XY..XY)"))
    found = open_curve(path, "alpha_cm")
    np.testing.assert_allclose(found.wavenumber_cm, x)
    np.testing.assert_allclose(found.values, 0.01 * np.array(y))


def test_jcamp_transmittance_reflectance_and_what_it_cannot_give(tmp_path: Path) -> None:
    path, rows = tmp_path / "a.dx", "400 10 20 30 40\n408 50 50 50"
    path.write_text(JCAMP.format(unit="%TRANSMITTANCE", factor=1.0, rows=rows))
    np.testing.assert_allclose(open_curve(path, "n_alpha").values[:2], -np.log10([0.1, 0.2]))
    with pytest.raises(UsageError, match="does not give reflectivity"):
        open_curve(path, "reflectivity")
    path.write_text(JCAMP.format(unit="REFLECTANCE", factor=0.01, rows=rows))
    np.testing.assert_allclose(open_curve(path, "reflectivity").values[:2], [0.1, 0.2])
    path.write_text(JCAMP.format(unit="ARBITRARY UNITS", factor=1.0, rows=rows))
    with pytest.raises(DataError, match="YUNITS"):
        open_curve(path)
    path.write_text(JCAMP.format(unit="ABSORBANCE", factor=1.0, rows="400 1 2 3"))
    with pytest.raises(DataError, match="3 points, NPOINTS=7"):
        open_curve(path)


def test_figures_and_comparisons_read_a_file_alike(tmp_path: Path) -> None:
    wavelength = np.linspace(10.0, 100.0, 60)
    n, k = 1.5 + 0.001 * wavelength, 0.002 * wavelength
    rows = "\n".join(f"        {a:.6f} {b:.8f} {c:.8f}" for a, b, c in zip(wavelength, n, k, strict=True))
    path = tmp_path / "x.yml"
    path.write_text(f"DATA:\n  - type: tabulated nk\n    data: |\n{rows}\n")
    for quantity in ("n_alpha", "reflectivity", "eps_imag"):
        x, y = read_curves(path, quantity)["x"]
        same = open_curve(path, quantity)
        np.testing.assert_array_equal(x, same.wavenumber_cm)
        np.testing.assert_array_equal(y, same.values)
    for short, name in (("alpha", "alpha_cm"), ("n_alpha_cm", "n_alpha")):  # as other commands and tables say
        assert open_curve(path, short).quantity == name
    both = read_curves(path, "nk")
    assert len(both) == 2
    np.testing.assert_allclose(sorted(both.values(), key=lambda c: c[1][0])[1][1][::-1], n, rtol=1e-7)
    (tmp_path / "modes.dat").write_text(
        "# mode [cm-1] [THz] IR\n7 250.4 7.5 0.18\n8 250.5 7.5 0.17\n10 348.5 10.4 4.8\n"
    )
    with pytest.raises(UsageError, match="does not give n_alpha"):  # never the number of the mode for one
        read_curves(tmp_path / "modes.dat", "n_alpha")
    (tmp_path / "um.csv").write_text("wavelength_um,n,k\n10,1.5,0.1\n20,1.6,0.2\n30,1.7,0.3\n40,1.8,0.4\n")
    assert read_curves(tmp_path / "um.csv", "n")["um"][0][0] == pytest.approx(250.0)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("wavenumber,value", [200.0, 300.0, 400.0]),
        ("# Wavenumber (cm-1),intensity (arb. units)", [200.0, 300.0, 400.0]),
        ("wavelength_um,absorbance", [1e4 / 400.0, 1e4 / 300.0, 1e4 / 200.0]),
        ("# thz,value", [200.0 * CM_PER_THZ, 300.0 * CM_PER_THZ, 400.0 * CM_PER_THZ]),
        ("", None),
        ("# measured by hand", None),
        ("# run 7, 12 scans", None),
    ],
)
@pytest.mark.parametrize("separator", [",", " ", "\t"])
def test_values_in_units_of_their_own_are_drawn_only_beside_a_frequency_with_its_unit(
    tmp_path: Path, header: str, expected: list[float] | None, separator: str
) -> None:
    path = tmp_path / "own.txt"
    rows = [(300.0, 1.0), (200.0, 5.0), (400.0, 2.0), (250.0, 3.0)]
    text = "\n".join(f"{a}{separator}{b}" for a, b in rows)
    path.write_text(f"{header}\n{text}\n" if header else f"{text}\n")
    if expected is None:  # µm drawn as cm⁻¹ otherwise
        for read in (read_curves, open_curve):
            with pytest.raises(DataError, match="header line"):
                read(path, "reflectivity")
        return
    if separator != "," and "#" not in header:
        path.write_text(path.read_text().replace(",", separator, 1))
    x, y = read_curves(path, "reflectivity")["own"]
    np.testing.assert_allclose(x[[0, -1]], [expected[0], expected[2]], rtol=1e-12)
    assert sorted(y) == [1.0, 2.0, 3.0, 5.0]
    with pytest.raises(UsageError, match="does not give reflectivity"):
        open_curve(path, "reflectivity")


def test_names_of_groups_with_commas_come_back(tmp_path: Path) -> None:
    v = np.random.default_rng(0).normal(size=(800, 2, 3))
    names = ('CH3, "head"', "=1+2; tail")
    s = compute_spectrum(CurrentSeries(v, names, 2.0, 100.0), temperature_k=300.0, resolution_cm=200.0)
    write_csv(s, tmp_path / "a.csv")
    found = open_curve(tmp_path / "a.csv")
    np.testing.assert_allclose(found.values, s.n_alpha, rtol=1e-6)
    assert found.errors is not None


# ---------------------------------------------------------------------- other layouts of measured tables
NU = np.linspace(60.0, 800.0, 75)
INDEX = np.sqrt(3.0 + 2 * 300**2 / (300**2 - NU**2 - 20j * NU))


def record(*tables: tuple[str, np.ndarray]) -> str:
    text = "REFERENCES: somebody\nDATA:\n"
    for kind, table in tables:
        rows = "\n".join("        " + " ".join(f"{value:.9g}" for value in row) for row in table)
        text += f"  - type: tabulated {kind}\n    data: |\n{rows}\n"
    return text


N_TABLE = np.column_stack([1e4 / NU, INDEX.real])
K_TABLE = np.column_stack([1e4 / NU, INDEX.imag])
NK_TABLE = np.column_stack([1e4 / NU, INDEX.real, INDEX.imag])
LAYOUTS = {
    "n and k apart.yml": record(("n", N_TABLE[::-1]), ("k", K_TABLE[::-1])),
    "falling.yml": record(("n", N_TABLE), ("k", K_TABLE)),
    "k in a part.yml": record(("n", N_TABLE[::-1]), ("k", K_TABLE[20:40][::-1])),
    "n in a part.yml": record(("k", K_TABLE), ("n", N_TABLE[30:60][::-1])),
    "two pieces.yml": record(("nk", NK_TABLE[40:]), ("nk", NK_TABLE[:41])),
}
CSV = "\r\n".join(f"{a:.9g},{b:.9g}" for a, b in N_TABLE)
LAYOUTS["site.csv"] = (
    "wl,n\r\n" + CSV + "\r\n\r\nwl,k\r\n" + "\r\n".join(f"{a:.9g},{b:.9g}" for a, b in K_TABLE)
)


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_layouts_of_refractiveindex_info(tmp_path: Path, name: str) -> None:
    """n and k of one oscillator: every point that both tables hold, and no other."""
    (tmp_path / name).write_text(LAYOUTS[name], newline="")
    found = open_curve(tmp_path / name, "eps_imag")
    assert len(found.values) == {"k in a part.yml": 20, "n in a part.yml": 30}.get(name, 75)
    expected = np.interp(found.wavenumber_cm, NU, (INDEX**2).imag)
    np.testing.assert_allclose(found.values, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("header", "columns", "quantity", "match"),
    [
        ("cm-1,n,k", [NU, INDEX.real, -INDEX.imag], "reflectivity", r"kappa is negative.*\n.*exp\(\+iωt\)"),
        ("thz,eps1,eps2", [NU, (INDEX**2).real, -(INDEX**2).imag], "n_alpha", "eps_imag is negative"),
        ("cm-1,alpha", [NU, -INDEX.imag], "alpha_cm", "alpha_cm is negative"),
        ("cm-1,sigma_real_s_per_m", [NU, -INDEX.imag], "sigma_real", "sigma_real is negative"),
        (
            "cm-1,r",
            [NU, 100 * abs((INDEX - 1) / (INDEX + 1)) ** 2],
            "reflectivity",
            r"up to [\d.]+\n.*percent",
        ),
        ("wl,n,k", [NU - 60.0, INDEX.real, INDEX.imag], "n", "not positive"),
    ],
)
def test_tables_that_no_material_has(
    tmp_path: Path, header: str, columns: list[np.ndarray], quantity: str, match: str
) -> None:
    rows = "\n".join(",".join(f"{value:.9g}" for value in row) for row in zip(*columns, strict=True))
    (tmp_path / "a.csv").write_text(f"{header}\n{rows}\n")
    with pytest.raises(DataError, match=match):
        open_curve(tmp_path / "a.csv", quantity)


def test_records_whose_tables_do_not_meet(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(record(("n", N_TABLE[:20]), ("k", K_TABLE[30:])))
    with pytest.raises(DataError, match=r"n is tabulated at wavelengths .* k at"):
        open_curve(tmp_path / "a.yml")


@pytest.mark.parametrize("head", ["Wavenumber (cm-1),alpha (cm-1)", "Frequency (THz),Alpha [cm^-1]"])
def test_a_quantity_in_wavenumbers_is_no_frequency(tmp_path: Path, head: str) -> None:
    path = tmp_path / "alpha.csv"
    scale = 1.0 if "cm-1" in head else 299792458.0 * 100.0 / 1e12
    rows = [f"{nu * scale:.12g},{2.0 * nu}" for nu in (100.0, 200.0, 300.0, 400.0)]
    path.write_text("\n".join([head, *rows]) + "\n")
    curve = open_curve(path, "alpha_cm")
    assert np.allclose(curve.wavenumber_cm, [100.0, 200.0, 300.0, 400.0], rtol=1e-9)
    assert np.allclose(curve.values, 2.0 * curve.wavenumber_cm, rtol=1e-9)


def test_measured_files_of_one_name_are_all_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_hdf5(oscillator_spectrum(), "s.h5")
    for folder in ("a", "b"):
        Path(folder).mkdir()
        Path(folder, "data.csv").write_text("cm-1,n_alpha\n100,1\n200,2\n300,3\n400,4\n")
    drawn: list[Any] = []
    monkeypatch.setattr("bec_md.plot.save_figure", lambda figure, path: drawn.append(figure))
    arguments = [
        "plot",
        "s.h5",
        "--groups",
        "none",
        "--experiment",
        "a/data.csv",
        "--experiment",
        "b/data.csv",
    ]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert {"a_data", "b_data"} < {line.get_label() for line in drawn[0].get_lines()}


def test_noise_below_zero_in_a_reststrahlen_band_leaves_it_opaque(tmp_path: Path) -> None:
    """√ε of ε₁ = −2, ε₂ = −0.001 is on the other side of the cut of the root."""
    (tmp_path / "x.csv").write_text("cm-1,eps1,eps2\n100,-2,-0.001\n200,-2,0.001\n300,4,0.1\n400,3,0.1\n")
    kappa, alpha = (open_curve(tmp_path / "x.csv", name).values for name in ("kappa", "alpha_cm"))
    np.testing.assert_allclose(kappa[:2], 2.0**0.5, rtol=1e-6)
    np.testing.assert_allclose(alpha[:2], 4.0 * np.pi * np.array([100.0, 200.0]) * 2.0**0.5, rtol=1e-6)


def test_index_and_absorption_give_all(tmp_path: Path) -> None:
    """As terahertz spectrometers write them: κ = α/4πν̃."""
    (tmp_path / "x.csv").write_text("cm-1,n,alpha (cm-1)\n10,2,30\n20,2,40\n30,2,50\n40,2,60\n")
    np.testing.assert_allclose(open_curve(tmp_path / "x.csv").values, [60.0, 80.0, 100.0, 120.0])
    kappa = open_curve(tmp_path / "x.csv", "kappa")
    np.testing.assert_allclose(kappa.values, [30.0, 40.0, 50.0, 60.0] / (4.0 * np.pi * kappa.wavenumber_cm))


def test_transmittances_in_percent_are_said(tmp_path: Path) -> None:
    text = "##XUNITS= 1/CM\n##YUNITS= {}\n##FIRSTX= 400\n##LASTX= 700\n##NPOINTS= 4\n##XYDATA= (X++(Y..Y))\n"
    for unit in ("TRANSMITTANCE", "%TRANSMITTANCE"):
        (tmp_path / f"{unit[0]}.jdx").write_text(text.format(unit) + "400 98 95 60 80\n##END=\n")
    with pytest.raises(DataError, match="look like percent"):
        open_curve(tmp_path / "T.jdx")
    np.testing.assert_allclose(open_curve(tmp_path / "%.jdx").values, -np.log10([0.98, 0.95, 0.6, 0.8]))


def test_a_conductivity_follows_from_the_index(tmp_path: Path) -> None:
    """Re σ = ωε₀ε₂ with ω = 2πcν̃; Im σ of a spectrum is without ε∞, that of n and κ would be with it."""
    nu, index = np.array([100.0, 200.0, 300.0, 400.0]), 1.5 + 0.1j
    rows = [f"{value},{index.real},{index.imag}" for value in nu]
    (tmp_path / "x.csv").write_text("\n".join(["cm-1,n,k", *rows]) + "\n")
    (drawn,) = read_curves(tmp_path / "x.csv", "sigma").values()
    np.testing.assert_allclose(drawn[0], nu)
    factor = 2.0 * np.pi * 299792458.0 * 100.0 * 8.8541878188e-12
    np.testing.assert_allclose(drawn[1], factor * nu * (index**2).imag, rtol=1e-9)
    with pytest.raises(UsageError, match="sigma_imag"):
        read_curves(tmp_path / "x.csv", "sigma_imag")


@pytest.mark.parametrize(
    ("head", "mark"),
    [
        ("Wavenumber / cm-1,n,k", ","),
        ("wavenumber/cm$^{-1}$;n;k", ";"),
        ("\u03bd (cm\u22121),n,k", ","),
        ("cm**-1,n,k", ","),
        ("Wavenumber (cm-1)\tn\tk", "\t"),
        ("# Wavenumber / cm-1\tn\tk", "\t"),
        ("Wavelength (\u03bcm),n,k", ","),
        ("\u03bb / \u00b5m,n,k", ","),
        ("index,Frequency (THz),Absorption (cm-1),k,n", ","),
    ],
)
def test_ways_to_write_a_unit(tmp_path: Path, head: str, mark: str) -> None:
    nu = np.array([100.0, 200.0, 250.0, 400.0])
    axis = 1e4 / nu if "avel" in head or "\u03bb" in head else nu / (CM_PER_THZ if "THz" in head else 1.0)
    columns = [axis, 1.5 + 0.0 * nu, 0.1 + 0.0 * nu]
    if "THz" in head:
        columns = [np.arange(4.0), axis, 7.0 * nu, *columns[:0:-1]]
    rows = [mark.join(f"{value:.12g}" for value in row) for row in zip(*columns, strict=True)]
    (tmp_path / "x.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    found = open_curve(tmp_path / "x.csv")
    np.testing.assert_allclose(found.wavenumber_cm, nu)
    np.testing.assert_allclose(found.values, 1.5 * 4.0 * np.pi * nu * 0.1)


@pytest.mark.parametrize(
    "head",
    [
        "wavenumber_cm\tn\tk\t",
        "\twavenumber_cm\t\tn\tk",
        "wavenumber_cm\tn k",
        "# wavenumber_cm n\tk",
        "Energy loss (meV)\tn\tk",
    ],
)
def test_tabs_between_names_may_be_too_many_or_mixed_with_spaces(tmp_path: Path, head: str) -> None:
    axis = (100.0, 200.0, 250.0, 400.0)
    nu = np.array(axis) / (MEV_PER_CM if "meV" in head else 1.0)
    text = "\n".join(f"{x}\t1.5\t0.1" for x in axis)
    (tmp_path / "x.txt").write_text(f"{head}\n{text}\n", encoding="utf-8")
    np.testing.assert_allclose(open_curve(tmp_path / "x.txt", "kappa").wavenumber_cm, nu)


def test_conductivity_absorption_and_eps_imag_are_one(tmp_path: Path) -> None:
    nu, sigma = np.array([100.0, 200.0, 250.0, 400.0]), np.array([1.0, 5.0, 4.0, 2.0]) * 1e4
    values = {
        "sigma_real": sigma,
        "n_alpha": 3.767303 * sigma,
        "eps_imag": 3.767303 * sigma / (2.0 * np.pi * nu),
    }
    for name, column in zip(values, ("sigma_real_s_per_m", "n_alpha_cm", "eps_imag"), strict=True):
        rows = "\n".join(f"{a},{b:.12g}" for a, b in zip(nu, values[name], strict=True))
        (tmp_path / "x.csv").write_text(f"wavenumber_cm,{column}\n{rows}\n", encoding="utf-8")
        for quantity, expected in values.items():
            np.testing.assert_allclose(open_curve(tmp_path / "x.csv", quantity).values, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["Absorption coefficient (cm-1)", "abs (cm-1)", "loss (cm-1)", "Angular frequency (THz)"]
)
def test_what_is_no_frequency_is_not_taken_for_one(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.csv").write_text(f"n,k,{name}\n1,2,3\n2,3,4\n3,4,5\n4,5,6\n", encoding="utf-8")
    with pytest.raises(DataError, match="is a frequency with its unit"):
        open_curve(tmp_path / "x.csv", "n")


@pytest.mark.parametrize("coarse", [0.0, 20.0])
def test_lines_narrower_than_the_grid_keep_their_areas(coarse: float) -> None:
    """Lines of 0.2 cm⁻¹ beside a spectrum of 20 cm⁻¹, or beside a table with a point every 4 cm⁻¹."""
    lines, nu = ((300.37, 50.0), (512.81, 100.0), (812.13, 70.0)), np.arange(1.0, 1499.0, 0.02)
    sharp = sum(a * 0.1 / np.pi / ((nu - c) ** 2 + 0.01) for c, a in lines)
    grid, width = np.arange(0.0, 1500.0, 4.0), (coarse or 20.0) / np.sqrt(8.0 * np.log(2.0))
    broad = sum(a * np.exp(-0.5 * ((grid - c) / width) ** 2) / width / np.sqrt(2.0 * np.pi) for c, a in lines)
    found = compare(
        Curve("computed", "n_alpha", grid, np.asarray(broad), None, coarse),
        Curve("measured", "n_alpha", nu, np.asarray(sharp)),
    )
    assert found.ratio == pytest.approx(1.0, abs=1e-3)  # the tails of the lines
    if coarse:
        assert [fit.scale for fit in found.fits] == pytest.approx([1.0] * 3, abs=0.02)
        assert [ratio for _, _, ratio in found.peaks] == pytest.approx([1.0] * 3, abs=0.02)
