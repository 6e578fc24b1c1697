"""The maker in the released jobflow, and the plain function behind it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.constraints import FixAtoms

from bec_md import load_model
from bec_md.errors import DataError, UsageError
from bec_md.workflows import BornChargesMaker, born_charges


@pytest.fixture(scope="module")
def crystal() -> Any:
    atoms = bulk("MgO", "rocksalt", a=4.21)
    atoms.rattle(0.1, seed=3)
    return atoms


def as_pymatgen(atoms: Any, **changes: Any) -> Any:
    """What is read of a pymatgen Structure; `charge` adds up oxidation states where none is set."""
    described = {
        "lattice": SimpleNamespace(matrix=atoms.cell.array, pbc=(True, True, True)),
        "cart_coords": atoms.positions,
        "atomic_numbers": tuple(int(n) for n in atoms.numbers),
        "is_ordered": True,
        "composition": SimpleNamespace(reduced_formula="MgO"),
        "charge": 0.5,
        "_charge": None,
    }
    return SimpleNamespace(**described | changes)


def test_the_function_gives_what_the_network_predicts(crystal: Any) -> None:
    found = json.loads(json.dumps(born_charges(crystal, threads=1)))
    prediction = load_model("universal", threads=1).predict_batch([crystal])
    np.testing.assert_array_equal(found["born"], prediction.born_effective_charges[0])
    np.testing.assert_array_equal(found["epsilon_static"], prediction.eps_inf[0])
    np.testing.assert_array_equal(found["born_uncertainty_e"], prediction.uncertainty_e[0])
    assert found["model"] == "universal"
    for other in (as_pymatgen(crystal), crystal.todict()):
        assert born_charges(other, threads=1)["born"] == found["born"]


def test_a_charge_that_is_set_counts_and_constraints_do_not(crystal: Any) -> None:
    charged = born_charges(as_pymatgen(crystal, _charge=1.0), threads=1)
    np.testing.assert_allclose(np.sum(charged["born"], axis=0), np.eye(3), atol=1e-9)
    held = crystal.copy()
    held.set_constraint(FixAtoms([0]))
    assert born_charges(held.todict(), threads=1)["born"] == born_charges(crystal, threads=1)["born"]


def test_what_has_no_charges_of_a_crystal_is_refused(crystal: Any) -> None:
    loose = crystal.copy()
    loose.pbc = False
    for structure, words in (
        (as_pymatgen(crystal, is_ordered=False), "sites that elements share"),
        (as_pymatgen(crystal, atomic_numbers=(12, 10**15)), "which is no element"),
        (loose, "no periodic structure"),
    ):
        with pytest.raises((DataError, UsageError), match=words):
            born_charges(structure)


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:cd is deprecated:FutureWarning"
)  # of jobflow
def test_a_job_and_its_output_where_atomate2_looks(
    crystal: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    from jobflow import Flow, job, run_locally

    made = BornChargesMaker(threads=1).make(crystal.todict())
    assert made.name == "born effective charges"

    @job
    def consume(born: Any, eps: Any) -> list[float]:
        return [float(np.trace(born[0]) / 3), float(np.trace(eps) / 3)]

    output = made.output.calcs_reversed[0].output
    after = consume(output.outcar["born"], output.epsilon_static)
    responses = run_locally(Flow([made, after]), log=False, ensure_success=True)
    expected = born_charges(crystal, threads=1)
    stored = responses[made.uuid][1].output
    assert stored["born"] == expected["born"]
    charge, eps = responses[after.uuid][1].output
    assert charge == pytest.approx(np.trace(expected["born"][0]) / 3)
    assert eps == pytest.approx(np.trace(expected["epsilon_static"]) / 3)


def test_a_maker_is_stored_and_read_again() -> None:
    maker = BornChargesMaker(model="silica", threads=2)
    assert BornChargesMaker.from_dict(json.loads(json.dumps(maker.as_dict()))) == maker


def test_what_is_no_crystal_is_refused(crystal: Any) -> None:
    with pytest.raises(UsageError, match="no periodic structure"):
        born_charges(Atoms("CO", positions=[[0, 0, 0], [0, 0, 1.1]]))
    with pytest.raises(UsageError, match="no periodic structure"):
        born_charges("POSCAR")
    with pytest.raises(UsageError, match="no periodic structure"):
        born_charges({"sites": []})
    with pytest.raises(DataError, match="Mg"):
        born_charges(crystal, "water")
