"""The quartz example, shortened: measured response, run, figure, table."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

import bec_md
from tests.examples.scripts import script

EXAMPLE = Path(__file__).parents[2] / "examples" / "quartz"


@pytest.mark.parametrize(("bands", "index"), [("E_BANDS", 2.106), ("A2_BANDS", 2.153)])
def test_the_measured_bands_give_the_measured_far_infrared_index(bands: str, index: float) -> None:
    measured = runpy.run_path(str(EXAMPLE / "measured.py"))
    epsilon = measured["epsilon"](np.array([1.0]), measured[bands])
    # zero-frequency indices at 300 K of another experiment (channeled spectra, 10 … 600 cm⁻¹); the tables
    # leave out the two weak E modes below 300 cm⁻¹
    assert np.sqrt(epsilon.real[0]) == pytest.approx(index, rel=0.02)


def test_short_run(tmp_path: Path) -> None:
    out = script(
        "quartz/run_md.py",
        *("--output", "short.npz", "--picoseconds", "0.2", "--equilibration", "0.1"),
        folder=tmp_path,
    )
    assert "40 frames" in out


def test_figure_and_table(tmp_path: Path) -> None:
    bec_md.compute_current(EXAMPLE / "quartz_300K.npz", "silica", stop=300, output=tmp_path / "short.h5")
    script("quartz/figure.py", "--current", "short.h5", "--resolution", "40", folder=tmp_path)
    assert (tmp_path / "quartz.png").stat().st_size > 50_000
    out = script("quartz/bands.py", "--current", "short.h5", "--resolution", "40", folder=tmp_path)
    assert out.count("| E |") == 6
    assert out.count("| A2 |") == 4
