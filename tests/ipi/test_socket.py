"""The program i-pi itself, with one socket for the forces and one for the charges."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from bec_md.ipi import DRIVER
from bec_md.network import load_model

PROGRAMS = Path(sys.executable).parent
INPUT = """<simulation verbosity='low'>
  <output prefix='run'>
    <properties stride='1' filename='out'> [ step, conserved ] </properties>
    <trajectory filename='bec' stride='1' extra_type='BEC' bead='1'> extras </trajectory>
    <trajectory filename='pos' stride='1' bead='1' format='ase'> positions{ase} </trajectory>
  </output>
  <total_steps> 3 </total_steps>
  <prng> <seed> 1 </seed> </prng>
  <ffsocket name='potential' mode='unix' pbc='false'>
    <address> forces </address> <latency> 1e-3 </latency>
  </ffsocket>
  <ffsocket name='charges' mode='unix' pbc='false'>
    <address> charges </address> <latency> 1e-3 </latency>
  </ffsocket>
  <system>
    <initialize nbeads='2'>
      <file mode='ase' units='angstrom'> start.xyz </file>
      <velocities mode='thermal' units='kelvin'> 300 </velocities>
    </initialize>
    <forces> <force forcefield='potential'/> <force forcefield='charges'/> </forces>
    <ensemble> <temperature units='kelvin'> 300 </temperature> </ensemble>
    <motion mode='driven_dynamics'>
      <driven_dynamics mode='eda-nve'>
        <timestep units='femtosecond'> 0.5 </timestep>
        <efield> <amp> [ 0.001, 0.002, -0.003 ] </amp> </efield>
        <bec mode='driver'/>
      </driven_dynamics>
    </motion>
  </system>
</simulation>
"""


def test_charges_beside_the_forces_of_another_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every bead has the Z* of its own positions, in all steps that i-PI writes."""
    monkeypatch.chdir(tmp_path)
    atoms = bulk("MgO", "rocksalt", a=4.21).repeat((2, 1, 1))
    atoms.set_cell(atoms.cell.standard_form()[0], scale_atoms=True)
    atoms.rattle(0.1, seed=2)
    ase.io.write("start.xyz", atoms)
    Path("input.xml").write_text(INPUT)
    with ExitStack() as stack:
        # the paths of sockets must be short
        prefix = stack.enter_context(TemporaryDirectory()) + "/"
        client = [PROGRAMS / "i-pi-driver-py", "-u", "-S", prefix, "-m"]
        commands = [
            [*client, "harmonic", "-a", "forces", "-o", "0.1"],
            [*client, "custom", "-P", DRIVER, "-a", "charges", "-o", "template=start.xyz,model=universal"],
        ]
        log = stack.enter_context(Path("log").open("w"))
        server = stack.enter_context(
            subprocess.Popen([PROGRAMS / "i-pi", "-S", prefix, "input.xml"], stdout=log, stderr=log)
        )
        stack.callback(server.kill)
        while not all(Path(prefix, name).exists() for name in ("forces", "charges")):
            assert server.poll() is None, Path("log").read_text()[-2000:]
            time.sleep(0.1)
        for command in commands:
            driver = stack.enter_context(subprocess.Popen(command, stdout=log, stderr=log))
            stack.callback(driver.kill)
        assert server.wait(timeout=300) == 0, Path("log").read_text()[-2000:]
    text = [line for line in Path("run.bec_1").read_text().splitlines() if "#" not in line]
    stored = np.array([line.split() for line in text], dtype=float).reshape(-1, len(atoms), 3, 3)
    model = load_model("universal")
    frames = ase.io.read("run.pos_1.extxyz", ":")
    assert len(stored) == len(frames) == 4
    for tensors, frame in zip(stored, frames, strict=True):
        atoms.positions = frame.positions
        # the positions are written with fewer digits than they are computed with
        np.testing.assert_allclose(tensors.transpose(0, 2, 1), model.predict(atoms), atol=1e-4)
    assert np.ptp(stored, axis=0).max() > 1e-3  # they move; the digits written are 1e-4
