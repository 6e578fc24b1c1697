"""The released quacc and atomate2, each in a process of its own: their imports warn, and set things up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk

from bec_md import load_model
from tests import forked

_QUACC = """
import json, sys
from ase.build import bulk
from quacc import flow, get_settings, job
from bec_md.workflows import born_charges

@job
def strain(atoms, factor):
    atoms = atoms.copy()
    atoms.set_cell(factor * atoms.cell.array, scale_atoms=True)
    return {"atoms": atoms}

@flow
def charges(atoms):
    return job(born_charges)(strain(atoms, 0.99)["atoms"], model="universal", threads=1)

found = charges(bulk("MgO", "rocksalt", a=4.21))
if get_settings().WORKFLOW_ENGINE == "dask":
    (found,) = __import__("dask").compute(found)
json.dump(found, open("found.json", "w"))
"""
_ATOMATE2 = """
import json, sys
import numpy as np
from atomate2.forcefields.flows.phonons import PhononMaker
from atomate2.forcefields.jobs import ForceFieldStaticMaker
from jobflow import run_locally
from pymatgen.core import Lattice, Structure
from bec_md.workflows import BornChargesMaker

cubic = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.21), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
forces = ForceFieldStaticMaker(
    force_field_name={"@module": "ase.calculators.lj", "@callable": "LennardJones"},
    calculator_kwargs={"epsilon": 0.5, "sigma": 1.88, "rc": 4.0},
)
maker = PhononMaker(
    bulk_relax_maker=None,
    static_energy_maker=None,
    phonon_displacement_maker=forces,
    born_maker=BornChargesMaker(threads=1),
    min_length=8.0,
    use_symmetrized_structure=None,
    create_thermal_displacements=False,
    store_force_constants=False,
    generate_frequencies_eigenvectors_kwargs={"npoints_band": 5, "tmin": 0, "tmax": 100, "tstep": 100},
)
done = run_locally(maker.make(cubic.get_primitive_structure()), create_folders=True, ensure_success=True)
outputs = [response.output for of_job in done.values() for response in of_job.values()]
(phonons,) = (output for output in outputs if type(output).__name__ == "PhononBSDOSDoc")
found = {"born": np.asarray(phonons.born).tolist(), "eps": np.asarray(phonons.epsilon_static).tolist()}
json.dump(found, open("found.json", "w"))
"""


def run(code: str, folder: Path, **environment: str) -> Any:
    """Run a script in a folder and return what it left there."""
    done = forked.run(["-c", code], folder, environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((folder / "found.json").read_text())


@pytest.mark.parametrize("engine", ["None", "dask"])
def test_the_function_is_a_job_of_quacc(engine: str, tmp_path: Path) -> None:
    found = run(_QUACC, tmp_path, QUACC_WORKFLOW_ENGINE=engine)
    tensors = load_model("universal", threads=1).predict(bulk("MgO", "rocksalt", a=0.99 * 4.21))
    np.testing.assert_allclose(found["born"], tensors, atol=1e-6)


def test_the_maker_is_a_born_maker_of_atomate2(tmp_path: Path) -> None:
    """Its charges and ε∞ arrive in the document of a phonon flow."""
    found = run(_ATOMATE2, tmp_path)
    expected = load_model("universal", threads=1).predict_batch([bulk("MgO", "rocksalt", a=4.21)])
    # the document symmetrizes them: the network is invariant to 10⁻⁶, ε∞ as far as it is cubic
    np.testing.assert_allclose(found["born"], expected.born_effective_charges[0], atol=1e-4)
    np.testing.assert_allclose(found["eps"], expected.eps_inf[0], atol=1e-4)
