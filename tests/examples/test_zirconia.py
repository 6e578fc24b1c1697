"""The zirconia example, shortened: fitted potentials, a run of each phase, its spectrum, the figure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.examples.scripts import EXAMPLES, bec_md, numbers_of, script

FOLDER = EXAMPLES / "zirconia"
PHASES = ("monoclinic", "tetragonal")


def test_the_phases_have_the_modes_that_their_symmetry_allows() -> None:
    table = script(
        "pod/phonons.py", str(FOLDER / "tetragonal.xyz"), "--potential", str(FOLDER / "tetragonal")
    )
    lines = [line for line in table.splitlines() if line.startswith("  ") and "sum" not in line]
    rows = np.array([numbers_of(line) for line in lines])
    in_plane, along = rows[:, 1:3].sum(axis=1), rows[:, 3]
    # P4₂/nmc: one A2u mode along the axis, two pairs of E_u modes in the plane.
    assert (along > 0.05).sum() == 1
    assert (in_plane > 0.05).sum() == 4
    assert np.minimum(in_plane, along).max() < 0.02


@pytest.mark.parametrize("phase", PHASES)
def test_a_short_run_gives_a_spectrum(phase: str, tmp_path: Path) -> None:
    script(
        *("pod/run_md.py", str(FOLDER / f"{phase}.xyz"), "--potential", str(FOLDER / phase)),
        *("--repeat", "2", "2", "1" if phase == "monoclinic" else "2", "--replicas", "1"),
        *("--picoseconds", "0.4", "--equilibration", "0.2", "--step", "2", "--every", "8"),
        *("--output", str(tmp_path / phase)),
    )
    bec_md(
        tmp_path,
        *("spectrum", f"{phase}_1.npz", "--eps-inf", "model", "--resolution", "100", "--max", "850"),
        *("-o", f"{phase}_300K_spectrum.h5"),
    )
    assert (tmp_path / f"{phase}_300K_spectrum.h5").stat().st_size > 10_000


@pytest.mark.skipif(len(list(FOLDER.glob("*_spectrum.h5"))) < 2, reason="no stored spectra")
def test_the_stored_spectra_tell_the_phases_apart(tmp_path: Path) -> None:
    text = script("zirconia/figure.py", "--output", str(tmp_path / "out.png"))
    bands = {
        line.split(":")[0]: numbers_of(line.split("nα")[1]) for line in text.splitlines() if "nα" in line
    }
    assert len(bands["monoclinic"]) > len(bands["tetragonal"])
    # The highest band of the monoclinic phase, measured at 740 cm⁻¹; the tetragonal one has none up there.
    assert max(bands["monoclinic"]) > 650.0 > max(bands["tetragonal"])
    assert (tmp_path / "out.png").stat().st_size > 10_000
