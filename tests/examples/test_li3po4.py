"""The Li3PO4 example, shortened: the force field, crystal, glass and melt, spectra, conductivity, figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.examples.scripts import EXAMPLES, bec_md, numbers_of, script

FOLDER = EXAMPLES / "li3po4"
SHORT = ("--replicas", "1", "--picoseconds", "0.6", "--equilibration", "1")


def test_the_field_has_the_bands_it_was_adjusted_to() -> None:
    table = script("li3po4/phonons.py")
    row = next(line for line in table.splitlines() if "springs" in line)
    cells = [numbers_of(cell)[0] for cell in row.split("|")[3:8]]
    # README.md; rounding of the constants and of the relaxation move them by less.
    np.testing.assert_allclose(cells, [943, 1052, 546, 522, 398], atol=3.0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a short run of the crystal and of the melt."""
    folder = tmp_path_factory.mktemp("li3po4")
    text = script("li3po4/run_md.py", "crystal", *SHORT, "--output", str(folder / "crystal"))
    text += script(
        *("li3po4/run_md.py", "glass", "--temperature", "1500", *SHORT),
        *("--melt", "0.1", "--quench", "0", "--output", str(folder / "melt")),
    )
    drifts = [numbers_of(line.split("drift")[1])[0] for line in text.splitlines()]
    # A slope over 0.6 ps of an energy that oscillates by some 100 µeV per atom.
    assert len(drifts) == 2
    assert np.abs(drifts).max() < 2000.0
    return folder


def test_short_runs_give_the_spectra(runs: Path) -> None:
    for name in ("crystal", "melt"):
        bec_md(
            runs,
            *("spectrum", f"{name}_1.npz", "--model", "li3po4", "--eps-inf", "model", "--md-timestep", "2"),
            *("--resolution", "150", "--max", "1400", "-o", f"{name}_spectrum.h5"),
        )
    files = [str(runs / f"{name}_spectrum.h5") for name in ("crystal", "melt")]
    text = script("li3po4/spectra.py", *files, "--output", str(runs / "spectra.png"))
    centers = [numbers_of(line)[1] for line in text.splitlines() if "stretching" in line]
    # The smoothing of 150 cm⁻¹ is symmetric; half a picosecond moves the center by little.
    np.testing.assert_allclose(centers, 1052.0, atol=40.0)
    assert (runs / "spectra.png").stat().st_size > 10_000


def test_short_melt_gives_the_conductivity_table_and_the_structure(runs: Path) -> None:
    text = script(
        *("li3po4/conductivity.py", str(runs / "melt_1.npz"), "--fit", "0.02", "0.06"),
        *("--charge-stride", "1", "--output", str(runs / "conductivity.png")),
    )
    slope = numbers_of(next(line for line in text.splitlines() if line.startswith("transported")))[0]
    # Bands count at so short a lag, where Z* is smaller than the oxidation numbers.
    assert 0.3 < slope < 1.2
    assert (runs / "conductivity.png").stat().st_size > 10_000
    table = script(
        *("li3po4/glass.py", str(runs / "melt_1.npz"), "--stride", "20", "--output", str(runs / "glass.png"))
    )
    row = next(line for line in table.splitlines() if line.startswith("| this example"))
    length, neighbors = numbers_of(row)[:2]
    assert length == pytest.approx(1.55, abs=0.08)  # bins of 0.05 Å, springs at 1500 K
    assert neighbors == pytest.approx(4.0, abs=0.01)  # the ions stay whole


@pytest.mark.skipif(not (FOLDER / "crystal_spectrum.h5").exists(), reason="no stored spectra")
def test_the_stored_spectra_give_the_figure(tmp_path: Path) -> None:
    text = script("li3po4/spectra.py", "--output", str(tmp_path / "out.png"))
    assert text.count("f-sum") == 2
    assert (tmp_path / "out.png").stat().st_size > 10_000
