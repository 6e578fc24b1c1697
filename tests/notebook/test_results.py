"""What results look like in Python: short, whatever their size; labelled; and only public names."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bec_md
from bec_md.arrays import brief, brief_repr
from bec_md.current.series import CurrentSeries
from bec_md.errors import LONGEST, DataError, UsageError
from bec_md.spectrum import compute_spectrum, load_spectrum, write_hdf5

PACKAGE = Path(bec_md.__file__).parent
ROOMS = sorted(
    f"bec_md.{path.parent.name}"
    for path in PACKAGE.glob("*/__init__.py")
    if "__all__" in path.read_text(encoding="utf-8")
)


def current(**changes: Any) -> CurrentSeries:
    """Two groups, 2000 samples 2 fs apart, with a predicted ε_∞."""
    rng = np.random.default_rng(4)
    time = 2.0 * np.arange(2000)
    wave = np.cos(0.09 * time)[:, None, None] + 0.3 * rng.normal(size=(2000, 2, 3))
    made: dict[str, Any] = {
        "current": 1e-2 * wave,
        "groups": ("Si", "O"),
        "timestep_fs": 2.0,
        "volume_ang3": 400.0,
        "temperature_k": 300.0,
        "eps_inf": np.eye(3) * 2.0 + 0.4 * np.linspace(0, 1, 2000)[:, None, None] * np.eye(3),
        "metadata": {"charges": "model silica", "source": "quartz"},
    }
    return CurrentSeries(**(made | changes))


def test_results_are_one_line_long() -> None:
    series = current()
    spectrum = compute_spectrum(series, eps_inf="model", resolution_cm=40.0)
    for item in (series, spectrum):
        assert "\n" not in repr(item)
        assert len(repr(item)) < 400
    assert "2000, 2 fs apart (4 ps)" in repr(series)
    assert "resolution 40 cm⁻¹" in repr(spectrum)
    assert "ε∞ 2.200" in repr(spectrum)


def test_the_predicted_eps_inf_is_the_mean_along_all_runs() -> None:
    short = current(current=-current().current[:1000], eps_inf=np.eye(3)[None] * 4.0)
    spectrum = compute_spectrum([current(), short], eps_inf="model", resolution_cm=60.0)
    # 2000 samples with a mean of 2.2, 1000 with 4: (2·2.2 + 4)/3
    assert spectrum.eps_inf is not None
    assert spectrum.eps_inf == pytest.approx(np.eye(3) * 8.4 / 3.0)
    assert spectrum.parameters["eps_inf_source"] == "predicted by model silica"
    given = compute_spectrum(current(), eps_inf=2.4, resolution_cm=60.0)
    assert given.parameters["eps_inf_source"] == "given"
    with pytest.raises(UsageError, match="carries no prediction of ε_∞"):
        compute_spectrum(current(eps_inf=None), eps_inf="model")
    with pytest.raises(UsageError, match="is not understood"):
        compute_spectrum(current(), eps_inf="modle")


def test_html_has_facts_figure_and_checks_and_loads_nothing() -> None:
    spectrum = compute_spectrum(current(), eps_inf=2.4, resolution_cm=40.0)
    html = spectrum._repr_html_()
    assert html.count("<svg xmlns") == 1
    assert "Self-checks" in html
    assert "300.0 K" in html
    assert len(html) < 200_000
    addresses = set(re.findall(r"https?://[^\s\"'<>]+", html))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    first, second = (set(re.findall(r'\bid="([^"]+)"', item._repr_html_())) for item in (spectrum, spectrum))
    assert not first & second  # two cells, no identifier twice in the page
    assert "2000, 2 fs apart" in current()._repr_html_()
    assert "Self-checks" in spectrum.quality._repr_html_()


def test_the_dataset_is_the_content_of_the_file(tmp_path: Path) -> None:
    xarray = pytest.importorskip("xarray")
    spectrum = compute_spectrum(current(), eps_inf=2.4, resolution_cm=40.0)
    write_hdf5(spectrum, tmp_path / "s.h5")
    dataset = spectrum.to_xarray()
    with xarray.open_dataset(tmp_path / "s.h5", engine="h5netcdf") as stored:
        xarray.testing.assert_equal(stored.load(), dataset)
        assert stored.attrs["parameters"] == dataset.attrs["parameters"]
    assert dataset["eps_imag_tensor"].sel(axis="x", axis_2="x").attrs["units"] == "1"
    assert dataset["n_alpha_cm"].values == pytest.approx(spectrum.n_alpha)
    table = spectrum.to_pandas()
    assert table.index.name == "wavenumber_cm"
    assert table["n_alpha_cm"].to_numpy() == pytest.approx(spectrum.n_alpha)
    assert load_spectrum(tmp_path / "s.h5").to_pandas().equals(table)


def test_the_current_as_labelled_arrays() -> None:
    pytest.importorskip("xarray")
    series = current()
    dataset = series.to_xarray()
    assert dict(dataset["current"].sizes) == {"time_fs": 2000, "group": 2, "axis": 3}
    assert dataset["current"].attrs["units"] == "e Å/fs"
    assert dataset["J"].values == pytest.approx(series.total())
    table = series.to_pandas()
    assert list(table)[:4] == ["J_x", "J_y", "J_z", "J_x[Si]"]
    assert (table["J_x[Si]"] + table["J_x[O]"]).to_numpy() == pytest.approx(table["J_x"].to_numpy())


def test_missing_packages_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    spectrum = compute_spectrum(current(), resolution_cm=40.0)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="pip install pandas"):
        spectrum.to_pandas()


@pytest.mark.parametrize("room", ["bec_md", *ROOMS])
def test_completion_offers_public_names_only(room: str) -> None:
    module = importlib.import_module(room)
    assert dir(module) == sorted(module.__all__)
    for name in dir(module):
        assert getattr(module, name) is not None


def test_messages_do_not_print_arrays() -> None:
    huge = np.random.default_rng(0).normal(size=(3000, 3))
    for call in (
        lambda: compute_spectrum(current(), eps_inf=huge),
        lambda: compute_spectrum(current(), resolution_cm=40.0).get("n_alpha", along=list(huge.ravel())),
        lambda: bec_md.compute_current([], charges=huge.tolist()),
    ):
        with pytest.raises((UsageError, DataError)) as raised:
            call()
        assert len(str(raised.value)) < 1000, str(raised.value)[:300]
    assert len(DataError("x" * 118_073, "why", "fix").what) < LONGEST + 60


def test_brief() -> None:
    assert brief(np.zeros((4, 3))) == "array 4×3 of float64"
    assert len(brief(list(range(100_000)))) < 100
    spread = compute_spectrum(current(), resolution_cm=40.0).along("x")
    assert len(brief_repr(spread)) < 600
    assert repr(spread).startswith("Response(")
