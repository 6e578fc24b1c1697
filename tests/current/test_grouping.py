from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from bec_md.current import compute_current
from bec_md.current.grouping import make_groups
from bec_md.errors import DataError, UsageError
from bec_md.trajectory import Frame

from .toy import SYMBOLS, oscillators, tensors, trajectory


def frame_of(atoms: Atoms) -> Frame:
    return Frame(
        atoms.positions, np.array(atoms.cell), atoms.pbc, atoms.numbers, atoms.get_masses(), None, None
    )


def solution() -> Atoms:
    """Two waters, one of them across the boundary, and a Na⁺ ion."""
    water, other = molecule("H2O"), molecule("H2O")
    water.translate([0.1, 5.0, 5.0])
    other.translate([5.0, 5.0, 1.0])
    atoms = water + other + Atoms("Na", [[5.0, 1.0, 5.0]])
    atoms.set_cell([10.0] * 3)
    atoms.pbc = True
    atoms.wrap()
    return atoms


def test_molecules_by_connectivity_across_the_boundary() -> None:
    groups = make_groups("molecules", frame_of(solution()))
    assert groups.names == ("H2O", "Na")
    assert groups.index.tolist() == [0] * 6 + [1]
    each = make_groups("molecules:each", frame_of(solution()))
    assert each.names == ("H2O-0", "H2O-1", "Na-2")
    assert each.index.tolist() == [0, 0, 0, 1, 1, 1, 2]


def test_layers_are_slabs_of_equal_thickness() -> None:
    atoms = Atoms("H4", [[1, 1, 0.5], [1, 1, 9.7], [1, 1, 4.9], [1, 1, 5.1]], cell=[10.0] * 3, pbc=True)
    groups = make_groups("layers:z:4", frame_of(atoms))
    assert groups.names == ("layer0", "layer1", "layer2", "layer3")
    assert groups.index.tolist() == [0, 3, 1, 2]


@pytest.mark.parametrize("spec", ["species", "none", "atoms", "layers:x:3", {"pair": [0, 3]}, SYMBOLS])
def test_partials_of_any_grouping_sum_to_the_total(spec: object) -> None:
    frames = trajectory(oscillators(), 10, 2.0)
    total = compute_current(frames, charges=tensors(), timestep_fs=2.0, groups="none").total()
    found = compute_current(frames, charges=tensors(), timestep_fs=2.0, groups=spec)
    # sums of 8 numbers of order 0.1 in another order
    assert np.abs(found.partial().sum(axis=1) - total).max() < 1e-12
    assert np.abs(found.total() - total).max() < 1e-12


def test_files_of_labels_and_of_atoms(tmp_path: Path) -> None:
    frame = frame_of(solution())
    labels = tmp_path / "labels.txt"
    labels.write_text("a a a  # first\nb b b\nion\n")
    assert make_groups(str(labels), frame).names == ("a", "b", "ion")
    mapping = tmp_path / "groups.json"
    mapping.write_text(json.dumps({"ion": [6], "first": [0, 1, 2]}))
    groups = make_groups(str(mapping), frame)
    assert groups.names == ("ion", "first", "rest")
    assert groups.index.tolist() == [1, 1, 1, 2, 2, 2, 0]


def test_brackets_without_end_are_no_json(tmp_path: Path) -> None:
    mapping = tmp_path / "groups.json"
    mapping.write_text('{"a":' * 100_000)
    with pytest.raises(DataError, match=r"groups\.json is not JSON"):
        make_groups(str(mapping), frame_of(solution()))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"a": [0, 1], "b": [1]}, "atom 1 is in the groups 'a' and 'b'"),
        ({"a": [7]}, "names atom 7"),
        (["a"] * 6, "6 labels for 7 atoms"),
    ],
)
def test_overlapping_or_missing_atoms_are_refused(spec: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        make_groups(spec, frame_of(solution()))


def test_a_short_file_and_a_bad_layer_are_refused(tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("a b\n")
    with pytest.raises(DataError, match="2 labels, the trajectory 7 atoms"):
        make_groups(str(labels), frame_of(solution()))
    with pytest.raises(UsageError, match="layers:w:3"):
        make_groups("layers:w:3", frame_of(solution()))


@pytest.mark.parametrize("labels", [False, True])
def test_sites_that_are_left_out_count_in_the_order_of_the_file(tmp_path: Path, labels: bool) -> None:
    """Atoms 4 to 6 of two TIP4P molecules are those of the second one, behind the M site of the first."""
    rows = [f"{i + 1} {t} {1.2 * i} 0 0 {0.001 * i} 0 0" for i, t in enumerate((1, 2, 2, 3) * 2)]
    head = "ITEM: NUMBER OF ATOMS\n8\nITEM: BOX BOUNDS pp pp pp\n0 20\n0 20\n0 20\nITEM: ATOMS id type x y z"
    path = tmp_path / "w.lammpstrj"
    path.write_text("\n".join(["ITEM: TIMESTEP\n0", f"{head} vx vy vz", *rows]) + "\n")
    groups = ["one"] * 4 + ["two"] * 4 if labels else {"one": [0, 1, 2, 3], "two": range(4, 8)}
    found = compute_current(
        path,
        charges="fixed:O=-2,H=1",
        groups=groups,
        elements=["O", "H", "NULL"],
        lammps_units="real",
        timestep_fs=1.0,
    )
    velocities = 0.001 * np.arange(8)
    expected = [velocities[first : first + 3] @ [-2.0, 1.0, 1.0] for first in (0, 4)]
    np.testing.assert_allclose(found.current[0, :, 0], expected, atol=1e-12)
    assert found.groups == ("one", "two")


def test_a_single_atom_and_an_atom_group_of_mdanalysis_are_groups() -> None:
    chosen = SimpleNamespace(ix=np.array([0, 1, 2]))  # an AtomGroup, as far as it is asked
    groups = make_groups({"water": chosen, "ion": 6}, frame_of(solution()))
    assert groups.names == ("water", "ion", "rest")
    assert groups.index.tolist() == [0, 0, 0, 2, 2, 2, 1]
