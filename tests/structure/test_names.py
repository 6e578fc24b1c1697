"""One file means the same to training, evaluation, trajectories, ASE and a charge source."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest

from bec_md.errors import DataError
from bec_md.structure import Frame
from bec_md.structure.extxyz import frame_text, read_frames, write_frames
from bec_md.structure.names import CHARGE_COLUMNS, CHARGES, CONVENTIONS
from bec_md.trajectory import open_trajectory

RANDOM = np.random.default_rng(5)
TENSORS = RANDOM.normal(0.0, 2.0, (3, 3, 3)).round(6)


def structure(**changes) -> Frame:
    return Frame(
        positions_ang=RANDOM.uniform(0, 5, (3, 3)).round(8),
        cell_ang=np.diag([5.0, 6.0, 7.0]),
        pbc=np.array([True, True, False]),
        numbers=np.array([8, 1, 1]),
        labels={CHARGES: TENSORS},
        **changes,
    )


def readings(path: Path) -> dict[str, np.ndarray]:
    """The tensors of the first frame by every way in."""
    return {
        "labels": read_frames(path)[0].labels[CHARGES],
        "trajectory": next(open_trajectory(path).frames()).labels[CHARGES],
        "ase.Atoms": next(open_trajectory([ase.io.read(path)]).frames()).labels[CHARGES],
    }


@pytest.mark.parametrize("stated", [*CONVENTIONS, "dM/du", "du/dM"])
@pytest.mark.parametrize("column", ["born_effective_charges", "born_charges"])
def test_the_stated_index_order_is_honored_everywhere(tmp_path, stated, column):
    text = frame_text(structure()).replace('"dM/du"', f'"{stated}"')
    path = tmp_path / "labels.xyz"
    path.write_text(text.replace(f"{CHARGES}:R:9", f"{column}:R:9"))
    expected = TENSORS.swapaxes(1, 2) if CONVENTIONS[stated.lower()] else TENSORS
    for way, tensors in readings(path).items():
        np.testing.assert_array_equal(tensors, expected, err_msg=way)


def test_an_unknown_index_order_is_refused_everywhere(tmp_path):
    path = tmp_path / "labels.xyz"
    path.write_text(frame_text(structure()).replace('"dM/du"', '"Z/2"'))
    ways = (
        lambda: read_frames(path),
        lambda: list(open_trajectory(path).frames()),
        lambda: list(open_trajectory([ase.io.read(path)]).frames()),
    )
    for way in ways:
        with pytest.raises(DataError, match="bec_convention='Z/2'"):
            way()


@pytest.mark.parametrize("column", CHARGE_COLUMNS)
def test_every_name_of_the_tensors_is_found_by_every_reader(tmp_path, column):
    path = tmp_path / "labels.xyz"
    path.write_text(frame_text(structure()).replace(f"{CHARGES}:R:9", f"{column}:R:9"))
    for way, tensors in readings(path).items():
        np.testing.assert_array_equal(tensors, TENSORS, err_msg=way)


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".xz"])
def test_a_frame_is_written_and_read_back_whole(tmp_path, suffix):
    frame = structure(
        velocities_ang_fs=RANDOM.normal(0, 0.01, (3, 3)),
        masses_amu=np.array([17.999, 2.014, 1.008]),
        time_fs=2.5,
        total_charge=-1.0,
        info={"level": "PBE, 500 eV", "name": "w1"},
    ).with_labels(eps_inf=np.diag([2.0, 3.0, 4.0]))
    path = tmp_path / f"one.xyz{suffix}"
    write_frames(path, [frame])
    found = next(open_trajectory(path).frames())
    np.testing.assert_allclose(found.positions_ang, frame.positions_ang, atol=5.1e-9)  # eight decimals
    # eight digits of the momenta
    np.testing.assert_allclose(found.velocities_ang_fs, frame.velocities_ang_fs, rtol=1e-7)
    for name in ("cell_ang", "pbc", "numbers", "masses_amu", "born_effective_charges", "eps_inf"):
        np.testing.assert_array_equal(getattr(found, name), getattr(frame, name), err_msg=name)
    assert (found.time_fs, found.total_charge) == (2.5, -1.0)
    assert found.info["level"] == "PBE, 500 eV"
    assert read_frames(path)[0].info["name"] == "w1"


def test_the_same_labels_give_the_same_compressed_file(tmp_path):
    frame = structure()
    write_frames(tmp_path / "a.xyz.gz", [frame])
    write_frames(tmp_path / "b.xyz.gz", [frame])
    assert (tmp_path / "a.xyz.gz").read_bytes() == (tmp_path / "b.xyz.gz").read_bytes()


def test_masses_that_are_not_given_are_standard_weights():
    assert structure().masses_amu == pytest.approx([15.999, 1.008, 1.008])


def test_arrays_of_other_types_become_those_of_a_frame() -> None:
    positions, numbers = np.arange(6.0).reshape(2, 3), [11, 17]
    found = Frame(
        positions.astype("f4"), np.eye(3).tolist(), [True] * 3, numbers, velocities_ang_fs=positions
    )
    given = (found.positions_ang, found.cell_ang, found.velocities_ang_fs, found.pbc, found.numbers)
    assert "".join(array.dtype.char for array in given) == "ddd?l"
    usual = Frame(positions, np.eye(3), np.ones(3, dtype=bool), np.array(numbers))
    assert usual.positions_ang is positions
    np.testing.assert_array_equal(found.masses_amu, usual.masses_amu)
