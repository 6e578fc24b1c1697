"""The labels under examples/labels: readable as they are, with provenance, split by name."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from bec_md.evaluation.metrics import sum_rule_excess
from bec_md.structure.extxyz import read_frames
from bec_md.training.labels import check_labels

FOLDER = Path(__file__).parents[2] / "examples" / "labels"
FILES = sorted(FOLDER.glob("*_train.xyz.xz")) + sorted(FOLDER.glob("*_test.xyz.xz"))
ESPRESSO = {"code": "Quantum ESPRESSO 6.7MaX", "pseudopotentials": "SG15 ONCV PBE 1.0", "license": "CC0-1.0"}
ABINIT = {
    "code": "ABINIT 9.6.2",
    "pseudopotentials": "PseudoDojo ONCVPSP-PBEsol-PDv0.4 standard",
    "license": "CC0-1.0",
}
PYSCF = {"code": "PySCF 2.14.0", "basis": "def2-svpd", "license": "CC0-1.0"}
PBESOL = {
    "thermal": (ABINIT, {"cutoff_ha", "k_mesh"}),
    "molecular_crystals": (ABINIT, {"cutoff_ha", "k_mesh"}),
    "molecules": (PYSCF, {"gap_ev"}),
}


ISOMERS = {"C2H6O", "CH2O", "CH"}
"""Dimethyl ether, acetic acid, methyl formate, benzene; ethanol, formaldehyde, acetylene are learned."""


def functional(name, kind):
    return "PBEsol" if kind in PBESOL else "RPBE" if name.startswith("water") else "PBE"


@pytest.fixture(scope="module")
def tool():
    if str(FOLDER) not in sys.path:  # the scripts import each other, as when Python runs them
        sys.path.insert(0, str(FOLDER))
    specification = importlib.util.spec_from_file_location("make_labels", FOLDER / "make_labels.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look their module up
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_labels_are_sound_and_say_where_they_come_from(path, tool):
    frames = read_frames(path)
    # what training drops or ignores with its own limits: nothing
    kept, report = check_labels(frames, max_sum_rule_e=0.2, max_charge_e=20.0, max_eps_inf=20.0)
    assert len(kept) == len(frames), report.dropped
    assert report.ignored_eps_inf == 0
    kind = path.name.rsplit("_", 1)[0]
    provenance, settings = PBESOL.get(kind, (ESPRESSO, {"cutoff_ry", "k_mesh"}))
    for frame in frames:
        info = frame.info
        assert {key: info[key] for key in provenance} == provenance
        assert info["functional"] == functional(info["name"], kind)
        assert {"name", "sampling", "seed", "seconds", "level"} | settings <= set(info)
        excess = sum_rule_excess(frame.born_effective_charges, frame.total_charge)
        assert float(info["sum_rule_residual_e"]) == pytest.approx(np.abs(excess).max(), abs=1e-4)
        if kind == "molecules":  # the vacuum around them decides what ε_∞ would be
            assert frame.eps_inf is None
            continue
        # ε_∞ of ph.x is symmetric to the convergence of the response
        np.testing.assert_allclose(frame.eps_inf, frame.eps_inf.T, atol=5e-3)
        if kind != "molecular_crystals":  # held back by formula, as below
            assert tool.is_test(info["name"]) == path.name.endswith("_test.xyz.xz")


def test_molecules_of_the_test_and_of_the_thermal_test_are_not_learned():
    learned, held_back = (
        {
            frame.formula
            for kind in ("thermal", "molecules", "molecular_crystals")
            for frame in read_frames(FOLDER / f"{kind}_{part}.xyz.xz")
        }
        for part in ("train", "test")
    )
    assert learned & held_back <= ISOMERS


def test_no_structure_is_in_two_files():
    names = [frame.info["name"] for path in FILES for frame in read_frames(path)]
    assert len(names) == len(set(names))


def test_a_third_of_the_seeds_and_three_compositions_are_held_back(tool):
    names = [f"t-ZrO2_300K_{seed:02d}" for seed in range(1, 7)]
    assert [tool.is_test(name) for name in names] == [False, False, True] * 2
    assert tool.is_test("PbZrO3_rattled_01")
    assert not tool.is_test("PbTiO3_rattled_03")
    assert tool.is_test("water8_300K_01")


def test_meshes_are_shifted_by_a_quarter(tool):
    """Along one axis with n points, Fourier components below R = 2n a are integrated exactly."""
    points = np.array(tool.quantum_espresso.k_points((2, 1, 3)))
    assert len(points) == 6
    for cells, exact in (((1, 0, 0), True), ((2, 0, 0), True), ((3, 0, 0), True), ((4, 0, 0), False)):
        mean = np.cos(2 * np.pi * points @ cells).mean()  # −k comes in by time reversal
        assert (abs(mean) < 1e-12) == exact


@pytest.mark.parametrize(
    ("points", "exact", "first"),
    [
        (
            "TWO_POINTS",
            [(1, 0, 0), (0, 1, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1), (2, 1, 1)],
            [(1, 1, 1), (2, 0, 0)],
        ),
        ("FOUR_POINTS", [(1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 1, 0)], [(2, 0, 0)]),
    ],
)
def test_special_points_integrate_what_they_promise(tool, points, exact, first):
    """Each Fourier component cos 2π k·R that does not average to zero is an error of the integral."""
    sampled = np.array(getattr(tool.quantum_espresso, points))
    for cells in exact:
        assert abs(np.cos(2 * np.pi * sampled @ cells).mean()) < 1e-12, cells
    for cells in first:
        assert abs(np.cos(2 * np.pi * sampled @ cells).mean()) > 0.5, cells


def test_a_locked_folder_is_left_to_its_owner(tool, tmp_path):
    with tool.locked(tmp_path / "a") as first:
        assert first is not None
        with tool.locked(tmp_path / "a") as second:
            assert second is None
    with tool.locked(tmp_path / "a") as third:
        assert third is not None


def test_inputs_ask_for_fields_only(tool, tmp_path):
    from ase.build import bulk

    for element in ("Mg", "O"):
        (tmp_path / f"{element}_ONCV.upf").write_text("")
    atoms = bulk("MgO", "rocksalt", a=4.2)
    atoms.info["total_charge"] = -1.0
    espresso = tool.quantum_espresso
    espresso.write_inputs(atoms, tmp_path, tmp_path, espresso.Settings(40.0, 6.0))
    scf, ph = (tmp_path / "scf.in").read_text(), (tmp_path / "ph.in").read_text()
    assert "tot_charge=-1" in scf
    assert "nosym=.true." in scf
    assert "K_POINTS crystal\n  27\n" in scf  # 6 Å / 2.97 Å → 3 along each axis
    assert "epsil=.true., trans=.false." in ph


def test_abinit_is_asked_for_fields_only(tool, tmp_path):
    from ase.build import bulk

    table = "element,file,valence,ecut_normal_ha\nMg,Mg-sp.psp8,10,42.0\nO,O.psp8,6,40.0\n"
    (tmp_path / "hints.csv").write_text(table)
    atoms = bulk("MgO", "rocksalt", a=4.2)
    atoms.info = {"total_charge": 2.0, "mesh_reach_ang": 6.0}
    mesh = sys.modules["k_points"].smallest_mesh(atoms.cell.array, 6.0)
    text = tool.abinit.input_text(atoms, tmp_path, tool.abinit.Settings(), mesh)
    lines = text.splitlines()
    assert {"ecut 42", "nband 7", "cellcharge 2", "nsym 1", "kptopt 3", "rfelfd2 2", "rfelfd3 3"} <= set(
        lines
    )
    assert not any(line.startswith("rfphon") for line in lines)
    assert max(map(len, lines)) < 264  # ABINIT's limit


def test_left_handed_cells_are_turned(tool):
    """ABINIT refuses them; the crystal stays where it is."""
    from ase import Atoms

    atoms = Atoms("MgO", positions=[[0, 0, 0], [1, 2, 3]], cell=[[0, 4, 0], [4, 0, 0], [0, 0, 4]], pbc=True)
    turned = tool.abinit.right_handed(atoms)
    assert turned.cell.volume > 0
    assert np.linalg.det(turned.cell.array) > 0
    np.testing.assert_array_equal(turned.positions, atoms.positions)


@pytest.mark.parametrize("reach_ang", [5.0, 7.5, 9.0])
def test_the_smallest_mesh_integrates_all_below_its_reach(tool, reach_ang):
    """Fourier components of a face-centered and of a skewed cell, by direct summation over the points."""
    k_points = sys.modules["k_points"]
    for cell in (
        np.array([[0, 2.1, 2.1], [2.1, 0, 2.1], [2.1, 2.1, 0]]),
        np.array([[3, 0, 0], [2, 4, 0], [1, 2, 5.0]]),
    ):
        mesh = k_points.smallest_mesh(cell, reach_ang)
        rows = np.array(mesh.translations)
        steps = np.array(list(np.ndindex(*(3 * [mesh.count])))) + np.array(mesh.shift) / 4
        points = steps @ np.linalg.inv(rows).T  # k·R = (i + s/4)·L⁻ᵀ n
        numbers = np.array(list(np.ndindex(13, 13, 13))) - 6
        lengths = np.linalg.norm(numbers @ cell, axis=1)
        wave = np.abs(np.cos(2 * np.pi * points @ numbers[lengths < reach_ang + 3].T).mean(axis=0))
        remaining = lengths[lengths < reach_ang + 3][wave > 1e-6]
        remaining = remaining[remaining > 0]
        assert remaining.min() == pytest.approx(mesh.reach_ang, abs=1e-6) or remaining.min() > reach_ang
        assert remaining.min() >= reach_ang


def test_crystals_of_the_benchmark(tool):
    """Sixty crystals and more of two to twelve atoms, about a third held back, no atoms that clash."""
    crystals = tool.CRYSTALS.values()
    assert len(crystals) >= 60
    assert len({crystal.group for crystal in crystals}) >= 10
    assert 0.25 < np.mean([crystal.test for crystal in crystals]) < 0.4
    for crystal in crystals:
        atoms = crystal.build()
        assert 3 <= len(atoms) <= 12
        distances = atoms.get_all_distances(mic=True)[np.triu_indices(len(atoms), 1)]
        assert distances.min() > 0.9, crystal.name  # O–H
