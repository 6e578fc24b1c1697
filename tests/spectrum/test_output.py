"""CSV, JSON and HDF5 say what the interface promises and read back."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from bec_md.errors import DataError, UsageError
from bec_md.spectrum import (
    is_spectrum_file,
    load_spectrum,
    summary,
    write_csv,
    write_hdf5,
    write_json,
)
from bec_md.spectrum.compute import compute_spectrum
from bec_md.spreadsheet import header_row
from tests.spectrum.exact import bare, neutral_system

PLAIN = ["wavenumber_cm", "n_alpha_cm", "n_alpha_cm_err", "sigma_real_s_per_m", "eps_imag", "eps_imag_err"]
WITH_EPS = ["eps_real", "n", "kappa", "alpha_cm", "reflectivity", "loss"]


@pytest.fixture(scope="module")
def spectrum():
    series = neutral_system(metadata={"model": "fixed", "source": "made up"})
    return compute_spectrum(
        series,
        temperature_k=300.0,
        eps_inf=[2.0, 2.1, 2.2],
        resolution_cm=80.0,
        max_cm=2000.0,
        group_matrix=True,
        dc=True,
    )


def read_csv(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    header = [line for line in lines if line.startswith("#")]
    names = lines[len(header)].split(",")
    return header, names, np.array([[float(v) for v in line.split(",")] for line in lines[len(header) + 1 :]])


def test_csv_columns_in_order(spectrum, tmp_path) -> None:
    write_csv(spectrum, tmp_path / "a.csv")
    header, names, table = read_csv(tmp_path / "a.csv")
    assert names[:14] == [*PLAIN, *WITH_EPS, "n_alpha_cm[Si]", "n_alpha_cm[O]"]
    assert any("formula" in line for line in header)
    assert any("units" in line for line in header)
    assert any("temperature_k: 300" in line for line in header)
    assert any("resolution_cm: 80" in line for line in header)
    column = dict(zip(names, table.T, strict=True))
    np.testing.assert_allclose(column["n_alpha_cm"], spectrum.n_alpha, rtol=1e-7)  # 8 digits written
    np.testing.assert_allclose(column["loss"], spectrum.loss, rtol=1e-6)
    np.testing.assert_allclose(
        column["n_alpha_cm[Si]"] + column["n_alpha_cm[O]"], column["n_alpha_cm"], rtol=1e-4
    )
    assert table.shape == (len(spectrum.wavenumber_cm), len(names))


def test_no_name_begins_a_cell_with_a_formula(spectrum, tmp_path) -> None:
    """Spreadsheets cut comment lines at separators, too, and run a cell that begins with = + - or @."""
    names = ["run,=HYPERLINK(1).xyz", '",@SUM(1)', "=cmd", "a; +1", "T=300, x-y.xyz", "new\n=1"]
    write_csv(replace(spectrum, metadata={"source": names, "model": names[0]}), tmp_path / "a.csv")
    header, _, _ = read_csv(tmp_path / "a.csv")
    lines = {line[2:].partition(": ")[0]: line.partition(": ")[2] for line in header}
    assert json.loads(lines["source"]) == names
    assert json.loads(lines["model"]) == names[0]
    assert "T=300, x-y.xyz" in lines["source"]  # harmless, as it is
    for name in ("source", "model"):
        cells = re.split("[,;]", lines[name])
        assert not any(re.match(r'[\s"]*[=+@-]', cell) for cell in cells)


def test_no_name_of_a_group_does_either(spectrum, tmp_path) -> None:
    groups = ["a;=HYPERLINK(1)", "b,\n@SUM(1)", '"=1', "Na+", "OH-", "x, y"]
    values = spectrum.n_alpha
    many = replace(spectrum, partial_n_alpha=dict.fromkeys(groups, values), partial_n_alpha_err={})
    write_csv(many, tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()
    row = next(line for line in lines if not line.startswith("#"))
    assert not any(re.match(r'[\s"]*[=+@-]', cell) for cell in re.split("[,;]", row))
    names = next(csv.reader([row]))
    assert len(names) == lines[-1].count(",") + 1
    assert [name[11:-1] for name in names if name.startswith("n_alpha_cm[")][3:] == groups[3:]  # harmless


def test_groups_named_by_numbers_shift_no_column(spectrum, tmp_path) -> None:
    """Readers that leave out what follows a # cut the names there; first columns became an index."""
    pandas = pytest.importorskip("pandas")
    groups = {"Li#1": spectrum.n_alpha, "B": spectrum.n_alpha}
    write_csv(replace(spectrum, partial_n_alpha=groups, partial_n_alpha_err={}), tmp_path / "a.csv")
    table = pandas.read_csv(tmp_path / "a.csv", comment="#")
    np.testing.assert_allclose(table["wavenumber_cm"], spectrum.wavenumber_cm)
    np.testing.assert_allclose(table["n_alpha_cm[Li#1]"], spectrum.n_alpha)


def test_first_rows_of_tables() -> None:
    assert (
        header_row(["=1+1_rmse_e", " @x", "+a", "-a", "a-b", "\t=1"]) == "'=1+1_rmse_e,'@x,'+a,'-a,a-b,'=1\n"
    )
    names = ["plain", "a,b", 'a "b"', "#1", "a;b", " c"]
    assert next(csv.reader([header_row(names)])) == [*names[:-1], "c"]


def test_csv_tensor_has_all_nine(spectrum, tmp_path) -> None:
    write_csv(spectrum, tmp_path / "a.csv", tensor=True)
    _, names, table = read_csv(tmp_path / "a.csv")
    column = dict(zip(names, table.T, strict=True))
    for a, x in enumerate("xyz"):
        for b, y in enumerate("xyz"):
            np.testing.assert_allclose(
                column[f"eps_imag_{x}{y}"], spectrum.eps_imag_tensor[:, a, b], rtol=1e-6, atol=1e-12
            )
    mean = (column["eps_imag_xx"] + column["eps_imag_yy"] + column["eps_imag_zz"]) / 3
    np.testing.assert_allclose(mean, column["eps_imag"], rtol=1e-6)


def test_csv_without_eps_inf_or_groups(tmp_path) -> None:
    s = compute_spectrum(
        bare(np.random.default_rng(0).normal(size=(400, 3))), temperature_k=300.0, resolution_cm=200.0
    )
    write_csv(s, tmp_path / "a.csv")
    _, names, _ = read_csv(tmp_path / "a.csv")
    assert names == PLAIN


def test_json_keys(spectrum, tmp_path) -> None:
    write_json(spectrum, tmp_path / "a.json")
    content = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    for key in (
        "temperature_k",
        "volume_ang3",
        "n_atoms",
        "n_frames",
        "timestep_fs",
        "resolution_cm",
        "nyquist_cm",
        "f_sum_ratio",
        "sum_rule_residual_e",
        "com_drift_ang_per_fs",
        "static_eps",
        "model",
        "warnings",
        "peaks",
    ):
        assert key in content, key
    assert len(content["f_sum_ratio"]) == 3
    assert content["n_atoms"] == 6
    assert content["model"] == "fixed"
    assert content["nyquist_cm"] == pytest.approx(16678.2, rel=1e-5)
    assert {"wavenumber_cm", "height", "err"} <= set(content["peaks"][0])
    assert "NaN" not in (tmp_path / "a.json").read_text(encoding="utf-8")
    assert {c["name"] for c in content["quality"]} >= {
        "f_sum",
        "static",
        "sum_rule",
        "temperature",
        "nyquist",
    }


def test_json_of_a_bare_current_has_null_for_the_unknown() -> None:
    s = compute_spectrum(
        bare(np.random.default_rng(0).normal(size=(400, 3))), temperature_k=300.0, resolution_cm=200.0
    )
    content = summary(s)
    assert content["f_sum_ratio"] is None
    assert content["static_eps"] is None
    assert content["sum_rule_residual_e"] is None


def test_hdf5_round_trip(spectrum, tmp_path) -> None:
    path = tmp_path / "a.h5"
    write_hdf5(spectrum, path)
    assert is_spectrum_file(path)
    back = load_spectrum(path)
    for name in (
        "wavenumber_cm",
        "sigma",
        "sigma_real_err",
        "sigma_imag_err",
        "sigma_covariance",
        "n_alpha",
        "n_err",
        "dof",
        "eps",
        "acf",
        "acf_time_fs",
        "lag_window",
        "raw_n_alpha",
        "raw_wavenumber_cm",
        "loss_err",
        "sigma_dc",
        "sigma_dc_err",
        "group_matrix_n_alpha",
        "jackknife_err",
    ):
        np.testing.assert_array_equal(getattr(back, name), getattr(spectrum, name), err_msg=name)
    assert list(back.partial_n_alpha) == ["Si", "O"]
    np.testing.assert_array_equal(back.partial_n_alpha_err["O"], spectrum.partial_n_alpha_err["O"])
    np.testing.assert_array_equal(back.static["fluctuation"], spectrum.static["fluctuation"])
    assert back.peaks == spectrum.peaks
    assert back.quality == spectrum.quality
    assert summary(back) == summary(spectrum)


def test_what_xarray_stores_and_names_with_a_home_folder_are_read(spectrum, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_hdf5(spectrum, "~/a.h5")
    spectrum.to_xarray().to_netcdf(tmp_path / "b.h5", engine="h5netcdf")
    for name in ("~/a.h5", "~/b.h5"):
        back = load_spectrum(name)
        np.testing.assert_array_equal(back.sigma, spectrum.sigma)
        assert summary(back) == summary(spectrum)


@pytest.mark.parametrize("given", [2.1, [2.0, 2.1, 2.2]])
def test_eps_inf_that_is_given_afterwards(given) -> None:
    series, chosen = neutral_system(), {"temperature_k": 300.0, "resolution_cm": 80.0}
    known = compute_spectrum(series, eps_inf=given, **chosen)
    found = replace(compute_spectrum(series, **chosen), eps_inf=given)
    for along in (None, "z", "xy", (1, 1, 0)):
        np.testing.assert_array_equal(found.get("n", along), known.get("n", along))
    np.testing.assert_array_equal(found.eps, known.eps)
    np.testing.assert_array_equal(found.static["fluctuation"], known.static["fluctuation"])
    assert summary(found) == summary(known)
    assert summary(replace(found, quality=known.quality)) == summary(known)  # it is added once


def _set(name, value):
    return lambda file: file.attrs.__setitem__(name, value)


def _replace(name, values):
    def change(file):
        del file[name]
        if values is not None:
            file[name] = values

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("format", "bec-md spectrum 2"), "was written by a newer bec-md"),
        (_set("parameters", "{nope"), "is damaged: Expecting property name"),
        (_set("parameters", "{}"), "parameters.resolution_cm is"),
        (_set("parameters", "[[1]]"), r"parameters is \[\[1\]\]"),
        (_set("peaks", '[{"evil": 1}]'), "peaks.0"),
        (_set("quality", '[{"name": "f_sum"}]'), "quality.0.value"),
        (_set("volume_ang3", -1.0), "volume_ang3 is -1.0"),
        (lambda file: file.attrs.__delitem__("temperature_k"), "is damaged: .*temperature_k"),
        (_replace("sigma_imag", None), "is damaged: .*sigma_imag"),
        (_replace("wavenumber_cm", np.zeros(0)), "is damaged: sigma_real has the shape"),
        (_replace("raw_n_alpha", np.ones(7)), "is damaged: raw_n_alpha has the shape"),
        (_replace("group", [1, 2]), "is damaged"),
    ],
)
def test_a_damaged_spectrum_is_named(spectrum, tmp_path, change, message) -> None:
    import h5py

    write_hdf5(spectrum, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        change(file)
    with pytest.raises(DataError, match=message) as error:
        load_spectrum(tmp_path / "a.h5")
    assert "a.h5" in error.value.what


def test_hdf5_opens_with_labelled_dimensions(spectrum, tmp_path) -> None:
    import h5py

    write_hdf5(spectrum, tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        names = [dim.label or dim.keys()[0] for dim in file["sigma_real"].dims]
        assert names == ["wavenumber_cm", "axis", "axis_2"]
        assert not any(np.iscomplexobj(file[n][()]) for n in file if file[n].dtype.kind in "fc")
        assert file["n_alpha_cm"].attrs["units"] == "cm^-1"
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    with xarray.open_dataset(tmp_path / "a.h5", engine="h5netcdf") as data:
        assert data["sigma_real"].dims == ("wavenumber_cm", "axis", "axis_2")
        assert float(data["eps_real"].sel(wavenumber_cm=500.0, method="nearest")) == pytest.approx(
            np.interp(500.0, spectrum.wavenumber_cm, spectrum.eps_real), rel=0.2
        )
        assert list(data["partial_n_alpha"]["group"].values) == ["Si", "O"]


def test_other_files_are_refused(tmp_path) -> None:
    (tmp_path / "a.h5").write_text("no")
    assert not is_spectrum_file(tmp_path / "a.h5")
    with pytest.raises(DataError, match="not a bec-md spectrum"):
        load_spectrum(tmp_path / "a.h5")


def test_a_spectrum_that_memory_does_not_hold_is_a_sentence(spectrum, tmp_path, monkeypatch) -> None:
    write_hdf5(spectrum, tmp_path / "a.h5")
    monkeypatch.setattr("bec_md.memory.available_bytes", lambda: 1000)
    with pytest.raises(UsageError, match=r"reading a\.h5 needs about .* of memory"):
        load_spectrum(tmp_path / "a.h5")
