"""What other programs read is what the spectrum holds, to the digits of their formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from bec_md.compare import compare, open_curve
from bec_md.current.series import CurrentSeries
from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.export import EXPORTS, export_spectrum
from bec_md.export.jcamp import _UNITS
from bec_md.spectrum import Spectrum, compute_spectrum, write_hdf5
from bec_md.units import PLASMA_FREQUENCY2_FS2
from bec_md.validate import langevin
from bec_md.validate.expectation import omega_fs

EPS_INF = np.diag([2.3, 2.4, 2.6])


@pytest.fixture(scope="module")
def crystal() -> Spectrum:
    """Bands at 150, 160 and 170 cm⁻¹ along x, y and z, with ε(0) − ε_∞ near 3."""
    w, width = omega_fs(np.array([150.0, 160.0, 170.0])), float(omega_fs(np.array([8.0]))[0])
    _, v = langevin.oscillators(12000, 4.0, w, width, 300.0, np.random.default_rng(8))
    series = CurrentSeries(v[:, None, :], ("NaCl",), 4.0, PLASMA_FREQUENCY2_FS2 / 3.0 / w[1] ** 2)
    return compute_spectrum(
        series, temperature_k=300.0, eps_inf=EPS_INF, resolution_cm=8.0, max_cm=600.0, dc=False
    )


@pytest.mark.parametrize("quantity", _UNITS)
def test_jcamp_of_every_quantity_by_another_reader_and_ours(
    crystal: Spectrum, tmp_path: Path, quantity: str
) -> None:
    import jcamp

    path = tmp_path / "a.jdx"
    export_spectrum(crystal, path, quantity)
    other, own = jcamp.readfile(str(path)), open_curve(path, quantity)
    shown = crystal.wavenumber_cm[-len(own.values) :]
    values, errors = (v[-len(shown) :] for v in (crystal.get(quantity), crystal.total_error(quantity)))
    scale = np.abs(values).max()  # nine digits of it are stored
    for x, y in ((other["x"], other["y"]), (own.wavenumber_cm, own.values)):
        np.testing.assert_allclose(x, shown, rtol=1e-9)
        np.testing.assert_allclose(y, values, rtol=0.0, atol=2e-9 * scale)
    assert other["data type"] == "INFRARED SPECTRUM"
    assert other["xunits"] == "1/CM"
    stored = [line.split()[1:] for line in other["$standard error"].splitlines()[1:]]
    read = other["$standard error factor"] * np.array([float(word) for row in stored for word in row])
    np.testing.assert_allclose(read, errors, rtol=0.0, atol=2e-9 * errors.max())
    assert max(len(line) for line in path.read_text(encoding="ascii").splitlines() if line[0] != "$") <= 80


def test_jcamp_states_what_its_table_holds(crystal: Spectrum, tmp_path: Path) -> None:
    """Labels that the standard requires, once each and before the table."""
    path = tmp_path / "a.jdx"
    export_spectrum(crystal, path, "r", along="z")
    lines = path.read_text(encoding="ascii").splitlines()
    labels = dict(line[2:].split("= ", 1) for line in lines if line.startswith("##") and "= " in line)
    values = crystal.get("reflectivity", along="z")[crystal.wavenumber_cm >= 8.0]
    assert lines[0].startswith("##TITLE=")
    assert lines[1] == "##JCAMP-DX= 4.24"
    assert lines[-1] == "##END="
    assert labels["YUNITS"] == "REFLECTANCE"
    assert int(labels["NPOINTS"]) == len(values)
    for label, value in (("FIRSTY", values[0]), ("MAXY", values.max()), ("MINY", values.min())):
        assert float(labels[label]) == pytest.approx(value, rel=1e-8)
    assert float(labels["FIRSTX"]) >= 8.0  # nothing within one resolution of zero


def test_refractive_index_record_gives_back_every_function(crystal: Spectrum, tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    export_spectrum(crystal, path, along="y")
    shown = crystal.wavenumber_cm >= 8.0
    for quantity in ("n", "kappa", "eps_imag", "reflectivity"):
        curve = open_curve(path, quantity)
        np.testing.assert_allclose(curve.wavenumber_cm, crystal.wavenumber_cm[shown], rtol=1e-7)
        values = crystal.get(quantity, along="y")[shown]
        np.testing.assert_allclose(curve.values, values, rtol=0.0, atol=1e-6 * np.abs(values).max())
    record = yaml.safe_load(path.read_text(encoding="utf-8"))
    (table,) = record["DATA"]
    assert table["type"] == "tabulated nk"
    rows = np.array([line.split() for line in table["data"].splitlines()], dtype=float)
    assert np.all(np.diff(rows[:, 0]) > 0.0)  # µm, ascending, as interpolating programs want them
    (errors,) = record["ERRORS"]
    read = np.array([line.split() for line in errors["data"].splitlines()], dtype=float)
    np.testing.assert_allclose(read[::-1, 1], crystal.error("n", along="y")[shown], rtol=1e-6)
    assert record["CONDITIONS"]["temperature"] == 300.0


def read_pdielec(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As PDielec's ExperimentOutputReader does: ε_∞ (3, 3), cm⁻¹ (F,), the columns of the table (F, n)."""
    lines = [line for line in path.read_text(encoding="ascii").splitlines() if line[0] != "#"]
    assert lines[0] == "epsinf"
    assert lines[4] in ("interpolate", "interpolate_3")
    assert lines[-1] == "end"
    inf = np.array([line.split() for line in lines[1:4]], dtype=float)
    table = np.array([line.split() for line in lines[5:-1]], dtype=float)
    return inf, table[:, 0], table[:, 1::2] + 1j * table[:, 2::2]


def test_pdielec_adds_what_is_infinite_to_the_table(crystal: Spectrum, tmp_path: Path) -> None:
    path = tmp_path / "a.exp"
    export_spectrum(crystal, path)
    inf, nu, table = read_pdielec(path)
    shown = crystal.wavenumber_cm >= 8.0
    eps = crystal.eps
    assert eps is not None
    np.testing.assert_allclose(nu, crystal.wavenumber_cm[shown], rtol=1e-7)
    total = table + np.diag(inf)
    expected = np.diagonal(eps, axis1=1, axis2=2)[shown]
    np.testing.assert_allclose(total, expected, rtol=0.0, atol=1e-6 * np.abs(expected).max())
    export_spectrum(crystal, path, along="xy")
    inf, _, table = read_pdielec(path)
    np.testing.assert_allclose(np.diag(inf), 2.35)  # the mean of both axes
    np.testing.assert_allclose(table[:, 0], expected[:, :2].mean(axis=1) - 2.35, atol=1e-6 * 40.0)


def test_a_tensor_that_is_not_diagonal_is_said_to_lose(crystal: Spectrum, tmp_path: Path) -> None:
    turn = np.array([[1.0, -1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, np.sqrt(2.0)]]) / np.sqrt(2.0)
    turned = replace(crystal, eps_inf=turn @ EPS_INF @ turn.T)
    with pytest.warns(BecMDWarning, match="off-diagonal elements.*PDielec"):
        export_spectrum(turned, tmp_path / "a.exp")


@pytest.mark.parametrize("name", ["a.jdx", "a.yml", "a.exp"])
def test_a_name_of_anything_breaks_no_format(crystal: Spectrum, tmp_path: Path, name: str) -> None:
    odd = replace(crystal, metadata={"source": "água\n##END=\n- evil: x\t\x07", "model": "m\nend"})
    export_spectrum(odd, tmp_path / name)
    if name == "a.exp":
        assert len(read_pdielec(tmp_path / name)[1]) > 100
    else:
        assert len(open_curve(tmp_path / name, "alpha_cm").values) > 100


def test_what_cannot_be_written_is_refused(crystal: Spectrum, tmp_path: Path) -> None:
    without = replace(crystal, eps_inf=None)
    cases: list[tuple[str, Spectrum, str | None, str]] = [
        ("a.txt", crystal, None, r"no format has the suffix '.txt'[\s\S]*\.jdx"),
        ("a.yml", crystal, "n", r"`quantity=n`[\s\S]*\.jdx"),
        ("a.jdx", crystal, "sigma", "no such ordinate"),
        ("a.jdx", crystal, "alhpa", "did you mean"),
        ("a.jdx", without, "alpha", "ε_∞"),
        ("a.yml", without, None, "ε_∞"),
        ("a.exp", without, None, "ε_∞"),
    ]
    for name, spectrum, quantity, message in cases:
        with pytest.raises(UsageError, match=message):
            export_spectrum(spectrum, tmp_path / name, quantity)
        assert not (tmp_path / name).exists()
    export_spectrum(without, tmp_path / "a.jdx")  # nα needs none
    assert open_curve(tmp_path / "a.jdx", "n_alpha").quantity == "n_alpha"


@pytest.mark.parametrize(("name", "quantity"), [("a.jdx", "reflectivity"), ("a.yml", None), ("a.exp", None)])
def test_nothing_above_the_resolution_is_no_file(tmp_path: Path, name: str, quantity: str | None) -> None:
    series = CurrentSeries(np.random.default_rng(0).normal(size=(2000, 1, 3)), ("a",), 4.0, 100.0)
    low = compute_spectrum(
        series, temperature_k=300.0, eps_inf=2.0, resolution_cm=25.0, max_cm=20.0, dc=False
    )
    with pytest.raises(DataError, match="no frequencies above 25"):
        export_spectrum(low, tmp_path / name, quantity)
    assert not (tmp_path / name).exists()


def test_every_suffix_has_one_format() -> None:
    suffixes = [suffix for item in EXPORTS.values() for suffix in item.suffixes]
    assert len(suffixes) == len(set(suffixes))


def test_by_the_command(crystal: Spectrum, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from bec_md.cli.app import app

    write_hdf5(crystal, tmp_path / "s.h5")
    call: Callable[..., None] = app
    for arguments, status in (
        (["s.h5", "-o", "s.jdx", "--quantity", "eps2", "--direction", "z"], 0),
        (["s.h5", "-o", "s.yml", "--quantity", "n"], 2),
    ):
        files = [str(tmp_path / a) if a.startswith("s.") else a for a in arguments]
        with pytest.raises(SystemExit) as end:
            call(["export", *files])
        assert end.value.code == status
    assert "--quantity n in s.yml" in capsys.readouterr().err
    values = crystal.get("eps_imag", along="z")
    curve = open_curve(tmp_path / "s.jdx", "eps_imag")
    np.testing.assert_allclose(curve.values, values[-len(curve.values) :], atol=1e-8 * values.max())


@pytest.mark.parametrize("name", ["a.jdx", "a.yml"])
def test_what_comes_back_is_not_smoothed_again(crystal: Spectrum, tmp_path: Path, name: str) -> None:
    """A file states the resolution of its curve; the absolute α of a file is not taken for nα."""
    write_hdf5(crystal, tmp_path / "s.h5")
    export_spectrum(crystal, tmp_path / name, *(["n_alpha"] if name == "a.jdx" else []))
    curves = [open_curve(tmp_path / item, "n_alpha") for item in ("s.h5", name)]
    assert curves[1].resolution_cm == curves[0].resolution_cm == 8.0
    same = compare(*curves, min_cm=50.0, max_cm=500.0)
    assert not any("smoothed" in note for note in same.notes)
    export_spectrum(crystal, tmp_path / "alpha.jdx", "alpha")
    with pytest.raises(UsageError, match="does not give n_alpha"):
        open_curve(tmp_path / "alpha.jdx", "n_alpha")
