"""The labels under examples/labels: readable as they are, with provenance, split by name."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from bec_md.structure.extxyz import read_frames
from bec_md.training.labels import check_labels, sum_rule_excess

FOLDER = Path(__file__).parents[2] / "examples" / "labels"
FILES = sorted(FOLDER.glob("*_train.xyz.xz")) + sorted(FOLDER.glob("*_test.xyz.xz"))
PROVENANCE = {
    "code": "Quantum ESPRESSO 6.7MaX",
    "pseudopotentials": "SG15 ONCV PBE 1.0",
    "license": "CC0-1.0",
}


@pytest.fixture(scope="module")
def tool():
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
    for frame in frames:
        info = frame.info
        assert {key: info[key] for key in PROVENANCE} == PROVENANCE
        assert info["functional"] == ("RPBE" if info["name"].startswith("water") else "PBE")
        assert {"name", "cutoff_ry", "k_mesh", "sampling", "seed", "seconds", "level"} <= set(info)
        excess = sum_rule_excess(frame.born_effective_charges, frame.total_charge)
        assert float(info["sum_rule_residual_e"]) == pytest.approx(np.abs(excess).max(), abs=1e-4)
        # ε_∞ of ph.x is symmetric to the convergence of the response
        np.testing.assert_allclose(frame.eps_inf, frame.eps_inf.T, atol=5e-3)
        assert tool.is_test(info["name"]) == path.name.endswith("_test.xyz.xz")


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
    points = np.array(tool.k_points((2, 1, 3)))
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
    sampled = np.array(getattr(tool, points))
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
    tool.write_inputs(atoms, tmp_path, tmp_path, tool.Settings(40.0, 6.0))
    scf, ph = (tmp_path / "scf.in").read_text(), (tmp_path / "ph.in").read_text()
    assert "tot_charge=-1" in scf
    assert "nosym=.true." in scf
    assert "K_POINTS crystal\n  27\n" in scf  # 6 Å / 2.97 Å → 3 along each axis
    assert "epsil=.true., trans=.false." in ph
