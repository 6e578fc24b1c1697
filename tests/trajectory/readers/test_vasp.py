"""VASP: XDATCAR, OUTCAR, vasprun.xml and vaspout.h5 in their variants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bec_md.errors import DataError, UsageError
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.readers.outcar import Head
from tests.trajectory.readers import motion as text
from tests.trajectory.readers.motion import Motion
from tests.trajectory.truth import assert_helpful


@pytest.mark.parametrize("style", ["vasp6", "vasp5.2", "npt", "pymatgen"])
@pytest.mark.parametrize("elements", ["Na Cl", "Na_pv/1a2b3c4d Cl/6f5e", "Na_sv_GW Cl_h"])
@pytest.mark.parametrize("shift", [0.0, -1.0])
def test_dialects_of_xdatcar(motion: Motion, tmp_path: Path, style: str, elements: str, shift: float) -> None:
    path = text.xdatcar(motion, tmp_path, style=style, elements=elements, shift=shift, scale=2.5)
    frames = list(open_trajectory(path, timestep_fs=1.0).frames())
    assert len(frames) == motion.n_frames
    for k, frame in enumerate(frames):
        expected = motion.positions[k] + shift * motion.cell.sum(axis=0)
        np.testing.assert_allclose(frame.positions_ang, expected, atol=1e-7)


def test_xdatcar_without_elements_needs_them(motion: Motion, tmp_path: Path) -> None:
    path = text.xdatcar(motion, tmp_path, elements="")
    with pytest.raises(UsageError) as caught:
        open_trajectory(path, timestep_fs=1.0)
    assert_helpful(caught.value, "`elements")
    assert open_trajectory(path, timestep_fs=1.0, elements="Na,Cl").info.numbers.tolist() == [11, 11, 17, 17]


def test_xdatcar_of_version_4(motion: Motion, tmp_path: Path) -> None:
    lines = ["   4   4   1", "  0.2E+02  0.9E-09  0.9E-09  0.9E-09  0.1E-14", "  300.0", "  CAR ", " made up"]
    for frame in motion.scaled:
        lines += ["", *(" ".join(f"{x:12.8f}" for x in row) for row in frame)]
    path = tmp_path / "XDATCAR"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(UsageError) as caught:
        open_trajectory(path, timestep_fs=1.0)
    assert_helpful(caught.value, "`cell_ang")
    trajectory = open_trajectory(
        path, timestep_fs=1.0, elements="Na2Cl2".replace("2C", "2,C"), cell_ang=motion.cell
    )
    np.testing.assert_allclose(
        [frame.positions_ang for frame in trajectory.frames()], motion.positions, atol=1e-7
    )
    assert "POTIM = 1 fs" in trajectory.info.units_note


def test_md_car_of_siesta_has_the_order_of_its_input(motion: Motion, tmp_path: Path) -> None:
    order = [0, 2, 1, 3]  # Na Cl Na Cl, though its header says 2 2
    lines = []
    for frame in motion.scaled:
        lines += ["---made up---", "       1.0", *("".join(f"{x:16.9f}" for x in row) for row in motion.cell)]
        lines += ["     2     2", "Direct", *("".join(f"{x:16.9f}" for x in frame[i]) for i in order)]
    path = tmp_path / "made_up.MD_CAR"
    path.write_text("\n".join(lines) + "\n")
    for elements, word in ((None, "no labels"), ("Na3,Cl", "1, 3 atoms")):
        with pytest.raises(UsageError) as caught:
            open_trajectory(path, timestep_fs=1.0, elements=elements)
        assert_helpful(caught.value, word, "`elements")
    trajectory = open_trajectory(path, timestep_fs=1.0, elements="Na,Cl,Na,Cl")
    assert trajectory.info.numbers.tolist() == [11, 17, 11, 17]
    for k, frame in enumerate(trajectory.frames()):
        np.testing.assert_allclose(frame.positions_ang, motion.positions[k, order], atol=2e-8)


def test_many_kinds_of_atoms_take_several_lines_of_an_xdatcar(tmp_path: Path) -> None:
    """VASP writes twenty kinds in a line: a POSCAR that is not sorted by element has as many as atoms."""
    kinds = ["Na", "Cl"] * 12
    lines = ["made up", "1.0", "20 0 0", "0 20 0", "0 0 20"]
    lines += [" ".join(kinds[:20]), " ".join(kinds[20:]), " ".join("1" * 20), " ".join("1" * 4)]
    for k in range(4):
        lines.append(f"Direct configuration= {k + 1:5d}")
        lines += [f"{i / 24 + 1e-4 * k:.8f} {(i % 5) / 5:.8f} {(i % 3) / 3:.8f}" for i in range(24)]
    path = tmp_path / "XDATCAR"
    path.write_text("\n".join(lines) + "\n")
    trajectory = open_trajectory(path, timestep_fs=1.0)
    assert trajectory.info.numbers.tolist() == [11, 17] * 12
    assert [frame.positions_ang[1, 0] for frame in trajectory.frames()] == pytest.approx(
        [20 / 24 + 2e-3 * k for k in range(4)], abs=1e-6
    )


@pytest.mark.parametrize(
    ("lines", "counts"),
    [
        (["               2   2"], [2, 2]),
        (["            16003200"], [1600, 3200]),
        (["             8001600"], [800, 1600]),
        (["               1   1   1   1   1   1   1   1   1   1", "   1   2"], [1] * 11 + [2]),
    ],
)
def test_numbers_of_atoms_in_an_outcar(lines: list[str], counts: list[int]) -> None:
    head = Head()
    head.take(f"   number of dos      NEDOS =    301   number of ions     NIONS = {sum(counts):6d}")
    for number, line in enumerate(lines):
        head.take(f"   ions per type = {line}" if number == 0 else line)
    head.take("   1")
    assert head.counts == counts


def test_appended_xdatcars_are_one_run_where_they_continue(motion: Motion, tmp_path: Path) -> None:
    lines = text.xdatcar(motion, tmp_path).read_text().splitlines(keepends=True)
    path = tmp_path / "XDATCAR_all"

    def part(first: int, last: int) -> str:
        rows = "".join(lines[7 + 5 * first : 7 + 5 * last])
        for k in range(first, last):
            rows = rows.replace(f"configuration= {k + 1:5d}", f"configuration= {k + 1 - first:5d}")
        return "".join(lines[:7]) + rows

    path.write_text(part(0, 12) + part(12, 20) + part(20, 30))
    trajectory = open_trajectory(path, timestep_fs=1.0)
    whole = list(trajectory.frames())
    assert [frame.step for frame in whole] == list(range(1, 31))
    assert sum("counts anew" in warning for warning in trajectory.info.warnings) == 2
    path.write_text(part(0, 12) + part(11, 20) + part(19, 30))  # each begins where the one before it ended
    again = list(open_trajectory(path, timestep_fs=1.0).frames())
    assert [frame.step for frame in again] == list(range(1, 31))
    np.testing.assert_array_equal(
        [frame.positions_ang for frame in again], [frame.positions_ang for frame in whole]
    )
    path.write_text(part(0, 12) + part(15, 30))
    with pytest.raises(DataError) as caught:
        list(open_trajectory(path, timestep_fs=1.0).frames())
    assert_helpful(caught.value, "frame 12", "appended files")


def test_a_title_may_begin_like_a_marker(motion: Motion, tmp_path: Path) -> None:
    path = text.xdatcar(motion, tmp_path, style="npt")
    path.write_text(path.read_text().replace("made up", "direct gap"))
    assert len(list(open_trajectory(path, timestep_fs=1.0).frames())) == motion.n_frames


def test_number_of_configurations_tells_nblock(motion: Motion, tmp_path: Path) -> None:
    path = text.xdatcar(motion, tmp_path)
    lines = path.read_text().splitlines()
    counted = [
        f"Direct configuration= {10 * int(line.split('=')[1]):5d}" if line.startswith("Direct") else line
        for line in lines
    ]
    path.write_text("\n".join(counted) + "\n")
    assert "NBLOCK = 10" in open_trajectory(path, timestep_fs=1.0).info.units_note


def test_an_outcar_has_a_clock_and_masses_of_its_own(motion: Motion, tmp_path: Path) -> None:
    path = text.outcar(motion, tmp_path)
    info = open_trajectory(path).info
    assert info.timestep_fs == motion.timestep_fs
    np.testing.assert_allclose(info.masses_amu, [22.99, 22.99, 35.453, 35.453])
    with pytest.raises(DataError) as caught:
        open_trajectory(path, timestep_fs=2.0)
    assert_helpful(caught.value, "timestep_fs=2", "1 fs apart")
    every = open_trajectory(text.outcar(motion, tmp_path, every=5, learned=False)).info
    assert every.timestep_fs == 5.0  # written at every fifth step of the force field
    assert "every 5 steps" in every.units_note
    lines = path.read_text().replace("Iteration     21(", "Iteration     26(")
    path.write_text(lines)
    with pytest.raises(DataError, match="steps after the frame before it"):
        list(open_trajectory(path).frames())
    text.outcar(motion, tmp_path, mass="22.99 36.97")
    assert open_trajectory(path).info.masses_amu[3] == 36.97  # an isotope that the input asks for
    path.write_text(path.read_text().replace("IBRION =      0", "IBRION =      2"))
    info = open_trajectory(path, timestep_fs=1.0).info
    assert any("IBRION = 2" in warning for warning in info.warnings)
    assert open_trajectory(path).info.timestep_fs is None


def test_kinds_of_a_vaspout_may_be_potentials(motion: Motion, tmp_path: Path) -> None:
    import h5py

    path = text.vaspout(motion, tmp_path)
    for names, numbers in (((b"Na_sv_GW/ab12", b"Cl.3"), [11, 17]), ((b"H1.25", b"H.5"), [1, 1])):
        with h5py.File(path, "a") as file:
            del file["results/positions/ion_types"]
            file["results/positions/ion_types"] = np.array(names)
        assert open_trajectory(path).info.numbers.tolist() == list(np.repeat(numbers, 2))


def test_options_and_input_of_a_vaspout(motion: Motion, tmp_path: Path) -> None:
    import h5py

    path = text.vaspout(motion, tmp_path)
    with pytest.raises(DataError, match="1 fs"):
        open_trajectory(path, velocity_units="ang/ps")  # a thousand times too slow
    with h5py.File(path, "a") as file:
        file["input/incar/POMASS"] = [22.99, 36.97]
    assert open_trajectory(path).info.masses_amu.tolist() == [22.99, 22.99, 36.97, 36.97]


def test_xenon_and_zirconium_are_known_as_vasprun_spells_them(motion: Motion, tmp_path: Path) -> None:
    path, content = tmp_path / "vasprun.xml", text.vasprun(motion, tmp_path).read_text()
    for old, new in (("<c>Na", "<c>r "), ("<c>Cl", "<c>X "), ("22.99", "91.22"), ("35.45", "131.29")):
        content = content.replace(old, new)
    path.write_text(content)
    assert set(open_trajectory(path, timestep_fs=1.0).info.numbers.tolist()) == {40, 54}


def test_relaxations_have_no_times(motion: Motion, tmp_path: Path) -> None:
    path = text.vasprun(motion, tmp_path)
    path.write_text(path.read_text().replace('name="IBRION">0<', 'name="IBRION">2<'))
    info = open_trajectory(path, timestep_fs=1.0).info
    assert any("IBRION = 2" in warning for warning in info.warnings)
    assert open_trajectory(path).info.timestep_fs is None
