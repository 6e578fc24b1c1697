"""The driver in the released i-PI: order, units, sum rule, forces of a field, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from bec_md.errors import DataError, UsageError
from bec_md.ipi import DRIVER, BornExtras
from bec_md.network import load_model
from bec_md.structure.ase_files import read_structure
from bec_md.units import BOHR_ANG

FIELD = (0.001, 0.002, -0.003)  # atomic units

INPUT = """<simulation verbosity='quiet'>
  <output prefix='run'>
    <trajectory filename='bec' stride='1' extra_type='BEC' bead='0'> extras </trajectory>
  </output>
  <total_steps> 10 </total_steps>
  <prng> <seed> 1 </seed> </prng>
  <ffdirect name='charges'>
    <pes> custom </pes>
    <pes_path> {driver} </pes_path>
    <parameters> {{ template: start.xyz, model: {model}, threads: 1 }} </parameters>
  </ffdirect>
  <system>
    <initialize nbeads='{beads}'>
      <file mode='ase' units='angstrom'> start.xyz </file>
    </initialize>
    <forces> <force forcefield='charges'/> </forces>
    <ensemble> <temperature units='kelvin'> 300 </temperature> </ensemble>
    <motion mode='driven_dynamics'>
      <driven_dynamics mode='eda-nve'>
        <timestep units='femtosecond'> 0.5 </timestep>
        <efield> <amp> [ {field} ] </amp> </efield>
        <bec mode='driver'/>
      </driven_dynamics>
    </motion>
  </system>
</simulation>
"""


#: i-PI in a process of its own: it takes signals and leaves threads and files open.
ONE_STEP = """
import json, sys
from ipi.scripting.interactive import InteractiveSimulation

run = InteractiveSimulation(sys.stdin.read())
beads = run.syslist[0].beads
beads.p[:] = 0.0
run.run(1)
json.dump({"p": beads.p.tolist(), "q": beads.q.tolist()}, open("state.json", "w"))
"""


def one_step(beads: int, field: str) -> dict[str, np.ndarray]:
    """Let the released i-PI go one step of 0.5 fs from rest; p and q, (beads, N, 3) in atomic units."""
    text = INPUT.format(driver=DRIVER, model="universal", beads=beads, field=field)
    command = [sys.executable, "-W", "ignore", "-c", ONE_STEP]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    state = json.loads(Path("state.json").read_text())
    return {name: np.array(values).reshape(beads, -1, 3) for name, values in state.items()}


@pytest.fixture
def displaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A skew cell of MgO whose ions are off their sites, written for i-PI: a along x, b in the xy plane."""
    monkeypatch.chdir(tmp_path)
    atoms = bulk("MgO", "rocksalt", a=4.21).repeat((2, 1, 1))
    atoms.set_cell(atoms.cell.standard_form()[0], scale_atoms=True)
    atoms.rattle(0.1, seed=2)
    write("start.xyz", atoms)
    return atoms


def test_order_units_and_sum_rule(displaced: Any) -> None:
    model = load_model("universal", threads=1)
    sent = BornExtras(displaced, model)(displaced.cell.array.T / BOHR_ANG, displaced.positions / BOHR_ANG)
    received = json.loads(json.dumps(sent))  # as i-PI gets them
    tensors = np.array(received["BEC"]).reshape(len(displaced), 3, 3)  # atom, displacement, dipole
    expected = model.predict(displaced)
    assert abs(expected - expected.transpose(0, 2, 1)).max() > 1e-3  # the order can be told
    # single precision of the network
    np.testing.assert_allclose(tensors.transpose(0, 2, 1), expected, atol=1e-5)
    assert np.abs(tensors.mean(axis=0)).max() < 1e-8 * len(displaced)  # i-PI's own threshold
    np.testing.assert_allclose(received["eps_inf"], model.predict_batch([displaced]).eps_inf[0], rtol=1e-6)
    assert "dipole" not in received  # the tensors of this model derive from none


def test_the_dipole_is_what_the_charges_derive_from(displaced: Any) -> None:
    """Central difference of the dipole along one displacement: rounding 1e-6, h² terms 1e-4."""
    atoms = quartz()
    extras = BornExtras(atoms, "silica", threads=1)
    cell, positions = atoms.cell.array.T / BOHR_ANG, atoms.positions / BOHR_ANG
    tensors = np.array(extras(cell, positions)["BEC"])
    step = 0.02
    for row in (0, 14):
        moved = [positions.ravel().copy() for _ in range(2)]
        moved[0][row] += step
        moved[1][row] -= step
        plus, minus = (np.array(extras(cell, x.reshape(-1, 3))["dipole"]) for x in moved)
        np.testing.assert_allclose((plus - minus) / (2 * step), tensors[row], atol=2e-3)


def quartz() -> Any:
    """First frame of the run of quartz."""
    from ase import Atoms

    from bec_md.trajectory import open_trajectory

    root = Path(__file__).parents[2]
    frame = next(open_trajectory(root / "examples/quartz/quartz_300K.npz", stop=1).frames())
    return Atoms(frame.numbers, frame.positions_ang, cell=frame.cell_ang, pbc=True)


@pytest.mark.parametrize("name", ["silica", "auto"])
def test_a_template_without_a_cell_repeats_all_the_same(tmp_path: Path, name: str) -> None:
    """The plain XYZ that i-PI itself writes: its cell stands in a comment that other programs do not read."""
    atoms = quartz()
    cell, positions = atoms.cell.array.T / BOHR_ANG, atoms.positions / BOHR_ANG
    expected = BornExtras(atoms, name, threads=1)(cell, positions)
    write(
        tmp_path / "start.xyz", atoms, format="xyz", comment="# CELL(abcABC): 9 9 9 90 90 90 Step: 0 Bead: 0"
    )
    plain = read_structure(tmp_path / "start.xyz")
    assert not plain.pbc.any()
    sent = BornExtras(plain, name, threads=1)(cell, positions)
    for key in ("BEC", "dipole"):  # of quartz, whose special model predicts a polarization
        np.testing.assert_allclose(sent[key], expected[key], atol=1e-5)


@pytest.mark.parametrize("beads", [1, 2])
def test_a_field_pushes_every_bead_by_its_charges(displaced: Any, beads: int) -> None:
    """Free ions from rest: after one step p = Σ_a E_a Z[i,a,b] Δt, trapezoid of both ends."""
    state = one_step(beads, ", ".join(map(str, FIELD)))
    model = load_model("universal", threads=1)
    before = model.predict(displaced)
    after = displaced.copy()
    after.positions = BOHR_ANG * state["q"][0]
    mean = 0.5 * (before + model.predict(after))
    step = 0.5 / 2.4188843265857e-2  # fs in atomic units
    expected = np.einsum("a,iab->ib", FIELD, mean) * step
    for bead in state["p"]:
        np.testing.assert_allclose(bead, expected, atol=1e-5 * np.abs(expected).max())


def test_output_of_extras(displaced: Any) -> None:
    """What i-PI writes of the extras is what it was sent, to the digits of its format."""
    one_step(1, "0, 0, 0")
    (path,) = Path.cwd().glob("run.bec*")
    lines = [line for line in path.read_text().splitlines() if "#" not in line]
    stored = np.array([line.split() for line in lines[: 3 * len(displaced)]], dtype=float)
    tensors = load_model("universal", threads=1).predict(displaced)
    np.testing.assert_allclose(stored, tensors.transpose(0, 2, 1).reshape(-1, 3), atol=1e-5)


def test_another_number_of_atoms_than_that_of_the_template_is_said(displaced: Any) -> None:
    extras = BornExtras(displaced, "universal")
    more = displaced.repeat((2, 1, 1))
    with pytest.raises(DataError, match="and the template has"):
        extras(more.cell.array.T, more.positions)


def test_a_model_that_does_not_exist_is_said(displaced: Any) -> None:
    with pytest.raises(UsageError, match="nonsense"):
        BornExtras(displaced, "nonsense")
