"""What is no spectrum, current, axes, … is refused in words by the functions that scripts call."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase
import numpy as np
import pytest

import bec_md
from bec_md.errors import UsageError
from bec_md.export import export_spectrum
from bec_md.report import write_report
from bec_md.spectrum import Spectrum, compute_spectrum
from tests.spectrum.exact import bare

WRONG = (None, "spectrum.h5", 42, [], np.zeros(3))


@pytest.fixture(scope="module")
def spectrum() -> Spectrum:
    noise = np.random.default_rng(1).normal(size=(400, 3))
    return compute_spectrum(bare(noise), temperature_k=300.0, resolution_cm=300.0)


TAKE_A_SPECTRUM: dict[str, Callable[[Any], object]] = {
    "plot_spectrum": lambda x: bec_md.plot.plot_spectrum(x),
    "plot_acf": lambda x: bec_md.plot.plot_acf(x),
    "plot_quality": lambda x: bec_md.plot.plot_quality(x),
    "plot_convergence": lambda x: bec_md.plot.plot_convergence([x]),
    "figure_of_spectrum": lambda x: bec_md.plot.figure_of_spectrum(x),
    "write_report": lambda x: write_report("never.html", x),
    "export_spectrum": lambda x: export_spectrum(x, "never.jdx"),
    "save_figure": lambda x: bec_md.plot.save_figure(x, "never.png"),
    "compute_spectrum": lambda x: compute_spectrum(x),
    "open_trajectory": lambda x: bec_md.open_trajectory([] if isinstance(x, str) else x),
}


@pytest.mark.parametrize("name", TAKE_A_SPECTRUM)
@pytest.mark.parametrize("wrong", WRONG, ids=lambda value: type(value).__name__)
def test_what_is_none_of_the_kind_is_refused(name: str, wrong: object) -> None:
    with pytest.raises(UsageError, match=r"no (spectrum|figure|current|trajectory)"):
        TAKE_A_SPECTRUM[name](wrong)
    assert not list(Path().glob("never.*"))


@pytest.mark.parametrize(
    "options",
    [
        {"ax": np.array([None, None])},
        {"quantity": None},
        {"unit": 3},
        {"groups": np.zeros(2)},
        {"band": "wide"},
        {"xlim": (1,)},
        {"xlim": (0.0, float("nan"))},
        {"sticks": [300.0]},
        {"sticks": {"modes": ["a"]}},
        {"sticks": {"modes": [[300.0], [1.0]]}},
    ],
    ids=str,
)
def test_odd_arguments_of_a_figure(options: dict[str, Any], spectrum: Spectrum) -> None:
    with pytest.raises(UsageError):
        bec_md.plot.plot_spectrum(spectrum, **options)


def test_options_of_another_kind() -> None:
    with pytest.raises(UsageError, match="SpectrumOptions"):
        compute_spectrum(bare(np.ones((20, 3))), options=3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="use cell_ang"):
        bec_md.compute_current("run.xyz", cell=(1.0, 1.0, 1.0))
    with pytest.raises(UsageError, match="foo is no option"):
        bec_md.open_trajectory("run.xyz", foo=1)
    with pytest.raises(UsageError, match="whole number"):
        bec_md.open_trajectory("run.xyz", start=1.5)


@pytest.mark.parametrize("value", [True, -1.0, [2.0, 0.5, 2.0], np.zeros((3, 3))])
def test_a_permittivity_below_that_of_the_vacuum(value: Any) -> None:
    with pytest.raises(UsageError, match="eps_inf"):
        compute_spectrum(bare(np.ones((20, 3))), temperature_k=300.0, eps_inf=value)


def test_a_list_of_structures_is_no_structure() -> None:
    water = ase.Atoms("OH2", positions=[[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    with pytest.raises(UsageError, match="predict_batch"):
        bec_md.load_model("water").predict([water, water])  # type: ignore[arg-type]


def test_modules_of_the_package_are_there_without_being_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ase", "report", "errors"):
        monkeypatch.delattr(bec_md, name, raising=False)
    assert bec_md.ase.BornCharges
    assert bec_md.report.write_report
    assert bec_md.errors.UsageError is UsageError
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = bec_md.nonsense


def test_a_missing_folder_is_named(spectrum: Spectrum, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no such folder.*missing'"):
        bec_md.plot.save_figure(bec_md.plot.plot_spectrum(spectrum), tmp_path / "missing/figure.png")


def test_a_trajectory_says_what_it_is() -> None:
    frames = []
    for k in range(8):
        atoms = ase.Atoms("MgO", positions=[[0.01 * k, 0, 0], [2.1, 0, 0]], cell=[4.2] * 3, pbc=True)
        atoms.set_velocities([[0.1, 0, 0], [0, 0, 0]])
        frames.append(atoms)
    shown = repr(bec_md.open_trajectory(frames, timestep_fs=1.0))
    assert "8 frames 1 fs apart; atoms 2" in shown
