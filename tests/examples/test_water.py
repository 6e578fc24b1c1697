"""The water example, shortened: LAMMPS run, currents, table and figure."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from tests.examples.scripts import script

EXAMPLE = Path(__file__).parents[2] / "examples" / "water"


def test_the_bond_is_the_quartic_expansion_of_a_morse_bond() -> None:
    models = runpy.run_path(str(EXAMPLE / "models.py"))["MODELS"]
    (line,) = (c for c in models["qtip4pf"].coefficients if c.startswith("bond_coeff"))
    length, *quartic = (float(word) for word in line.split()[2:])
    stretch = np.linspace(-0.02, 0.02, 9)
    energy = sum(k * stretch**power for k, power in zip(quartic, (2, 3, 4), strict=True))
    morse = 116.09 * (1.0 - np.exp(-2.287 * stretch)) ** 2
    assert length == 0.9419
    # the next term is −(1/4) D (αx)⁵: 6e-6 kcal/mol at 0.02 Å
    np.testing.assert_allclose(energy, morse, atol=1e-5)


def test_the_negative_charge_sits_where_gamma_says() -> None:
    models = runpy.run_path(str(EXAMPLE / "models.py"))["MODELS"]
    (line,) = (c for c in models["qtip4pf"].styles if c.startswith("pair_style"))
    bisector = 0.9419 * np.cos(np.radians(107.4) / 2.0)
    assert float(line.split()[6]) == pytest.approx((1.0 - 0.73612) * bisector, abs=1e-7)


@pytest.mark.parametrize("model", ["qtip4pf", "spcfw"])
def test_short_run(model: str, tmp_path: Path) -> None:
    out = script(
        "water/run_md.py",
        *("--model", model, "--molecules", "32", "--equilibration", "0.3", "--picoseconds", "0.3"),
        *("--output", "water.npz"),
        folder=tmp_path,
    )
    assert "150 frames" in out
    rms = float(re.search(r"rms ([\d.]+) meV", out).group(1))  # type: ignore[union-attr]
    # velocity Verlet with 0.5 fs: the energy of a molecule, 230 meV of heat, is kept to better than 1 meV
    assert rms < 1.0, out
    if model != "qtip4pf":
        return
    (tmp_path / "measured.csv").write_text("cm-1,alpha-n\n" + "".join(f"{x},1.0\n" for x in range(1, 5000)))
    out = script(
        "water/spectrum.py",
        *("--run", "q-TIP4P/F", "water.npz", "--experiment", "measured.csv", "--resolution", "150"),
        *("--output", "water.png", "--csv", "water.csv"),
        folder=tmp_path,
    )
    strength = float(re.search(r"⟨Σtr ZZᵀ/m⟩ = ([\d.]+)", out).group(1))  # type: ignore[union-attr]
    # it needs no dynamics, only configurations: 2.0 e²/amu within the spread of single short runs
    assert strength == pytest.approx(2.0, abs=0.15)
    assert "| stretch | 2700–4000 | 1.300 |" in out  # 1,300 cm⁻¹ at nα = 10³ cm⁻¹
    assert (tmp_path / "water.png").stat().st_size > 20_000
    table = np.genfromtxt(tmp_path / "water.csv", delimiter=",", names=True)
    assert set(table.dtype.names) >= {"wavenumber_cm", "n_alpha_cm_qtip4pf", "n_alpha_cm_fixed_charges_err"}
    assert np.isfinite(table["n_alpha_cm_qtip4pf"]).all()
