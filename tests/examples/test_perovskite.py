"""The perovskite example, shortened: the fitted potential, a run, its spectrum, and the figure."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from tests import forked
from tests.examples.scripts import EXAMPLES, bec_md, numbers_of, script

FOLDER = EXAMPLES / "perovskite"
POTENTIAL = str(FOLDER / "srtio3")
CELL = str(FOLDER / "srtio3.xyz")


def test_the_first_command_of_the_readme(tmp_path: Path) -> None:
    """Several runs, f-sum within 5 % on every axis and within its stated error, one screen, one axis."""
    text = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^bec-md spectrum examples/perovskite/runs/\*\.npz (.*)$", text, re.MULTILINE)
    assert found is not None
    runs = sorted((FOLDER / "runs").glob("*.npz"))
    command = ["bec-md", "spectrum", *map(str, runs), *shlex.split(found[1]), "--json", "found.json"]
    done = forked.run(command, tmp_path, {"COLUMNS": "80"})
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "found.json").read_text())
    assert result["n_replicas"] == len(runs) == 20
    assert result["f_sum_ratio"] == pytest.approx([1.0, 1.0, 1.0], abs=0.05)
    lines = done.stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    axes = [line[:6].strip() for line in lines if line.startswith(("TO", "LO"))]
    assert axes == ["TO", "LO"]  # cubic: x, y and z are one
    assert "warning" not in done.stderr


def test_the_potential_keeps_the_zone_center_modes_of_the_network() -> None:
    table = script("pod/phonons.py", CELL, "--potential", POTENTIAL, "--all")
    rows = [numbers_of(line) for line in table.splitlines() if line.startswith("  ") and "sum" not in line]
    frequencies = np.array([row[0] for row in rows])
    # SevenNet-0 at the same lattice; the fit moves no mode by more than 12 cm⁻¹ (README.md).
    np.testing.assert_allclose(frequencies[::3], [55.0, 154.0, 239.0, 535.0], atol=12.0)
    np.testing.assert_allclose(frequencies[::3], frequencies[2::3], atol=0.5)  # cubic: three times each


def test_a_short_run_gives_a_spectrum_and_the_figure(tmp_path: Path) -> None:
    run = script(
        *("pod/run_md.py", CELL, "--potential", POTENTIAL, "--repeat", "2", "2", "2"),
        *("--temperature", "300", "--replicas", "2", "--picoseconds", "0.4", "--equilibration", "0.2"),
        *("--step", "2", "--every", "8", "--output", str(tmp_path / "srtio3_300K")),
    )
    drifts = [float(line.split("energy ")[1].split()[0]) for line in run.splitlines() if "drift" in line]
    assert len(drifts) == 2
    # A slope over 0.4 ps of an energy that oscillates by some 10 µeV per atom.
    assert np.abs(drifts).max() < 1000.0
    files = [str(tmp_path / f"srtio3_300K_{k}.npz") for k in (1, 2)]
    bec_md(
        tmp_path,
        *("spectrum", *files, "--model", "universal", "--eps-inf", "model"),
        *("--resolution", "100", "--max", "900", "-o", "srtio3_300K_spectrum.h5"),
    )
    text = script("perovskite/figure.py", "--spectra", str(tmp_path), "--output", str(tmp_path / "out.png"))
    rows = [numbers_of(line) for line in text.splitlines() if "±" in line]
    assert len(rows) == 1
    assert rows[0][0] == pytest.approx(300.0, abs=100.0)  # 117 degrees of freedom, hardly equilibrated
    assert (tmp_path / "out.png").stat().st_size > 10_000


@pytest.mark.skipif(not list(FOLDER.glob("*_spectrum.h5")), reason="no stored spectra")
def test_the_stored_spectra_show_the_soft_mode(tmp_path: Path) -> None:
    text = script("perovskite/figure.py", "--output", str(tmp_path / "out.png"))
    rows = np.array([numbers_of(line) for line in text.splitlines() if line.startswith("| ") and "±" in line])
    temperature, soft, eps = rows[:, 0], rows[:, 1], rows[:, 2]
    assert (np.diff(temperature) > 0).all()
    # The mode hardens and ε(0) falls; the ends of the range, since neighbors may lie within their errors.
    assert soft[-1] > soft[0] + 10.0
    assert eps[-1] < 0.7 * eps[0]
