"""Atoms that do not move and sites without mass: degrees of freedom, f-sum rule and charges."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from bec_md import compute_current, compute_spectrum
from bec_md.current.mobility import Mobility, find_immobile
from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.structure import Frame
from bec_md.trajectory import open_trajectory
from bec_md.units import AMU_ANG2_FS2_EV, BOLTZMANN_EV_K

RNG = np.random.default_rng(8)
N_FRAMES, DT_FS, KELVIN = 1500, 4.0, 300.0
SITES = np.array([[x, y, z] for z in (0, 2.1, 4.2, 6.3) for x in (0, 2.1) for y in (0, 2.1)]) + 0.3
SYMBOLS = ["Mg" if round(site.sum() / 2.1) % 2 == 0 else "O" for site in SITES]
MASSES = np.where(np.array(SYMBOLS) == "Mg", 24.305, 15.999)


def write_slab(
    path: Path,
    moving: np.ndarray,
    *,
    velocities: bool = True,
    stale: bool = False,
    late: int = 0,
    frames: int = 0,
    digits: int = 9,
) -> Path:
    """Independent oscillators at 300 K; the others rest (with velocities that mean nothing if `stale`)."""
    kt = BOLTZMANN_EV_K * KELVIN / AMU_ANG2_FS2_EV
    omega = 2 * np.pi * 2.99792458e-5 * np.random.default_rng(1).uniform(250, 500, size=(len(SITES), 3))
    phase = np.random.default_rng(2).uniform(0, 2 * np.pi, size=(len(SITES), 3))
    speed = np.sqrt(2 * kt / MASSES)[:, None]  # mean energy kT for each oscillator
    lines = []
    for frame in range(frames or N_FRAMES):
        free = np.broadcast_to(moving.T, (3, len(SITES))).T | (frame >= late if late else False)
        x = SITES + np.where(free, speed / omega * np.sin(omega * frame * DT_FS + phase), 0.0)
        v = np.where(free, speed * np.cos(omega * frame * DT_FS + phase), 0.01 if stale else 0.0)
        columns = np.hstack([x, v]) if velocities else x
        lines.append(str(len(SITES)))
        lines.append(
            'Lattice="4.2 0 0 0 4.2 0 0 0 20" pbc="T T F" Properties=species:S:1:pos:R:3'
            + (":vel:R:3" if velocities else "")
        )
        lines += [
            f"{s} {' '.join(f'{c:.{digits}f}' for c in row[:3])} {' '.join(f'{c:.9f}' for c in row[3:])}"
            for s, row in zip(SYMBOLS, columns, strict=True)
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


CHARGES = {"Mg": 2.0, "O": -2.0}
UPPER = SITES[:, 2] > 4.0


def exact_zz(moving: np.ndarray) -> float:
    return float((4.0 / MASSES[moving]).sum())


@pytest.mark.parametrize("stale", [False, True])
def test_temperature_and_f_sum_are_those_of_the_atoms_that_move(tmp_path: Path, stale: bool) -> None:
    path = write_slab(tmp_path / "slab.xyz", UPPER, stale=stale)
    current = compute_current(path, charges=CHARGES, timestep_fs=DT_FS)
    assert current.metadata["remarks"] == [
        "8 of 16 atoms do not move: temperature and f-sum rule are those of the others"
    ]
    assert any("have velocities but do not move" in text for text in current.metadata["notes"]) is stale
    temperature, groups = current.kinetic_temperature()
    # 6 ps of 24 independent oscillators
    assert temperature == pytest.approx(KELVIN, rel=0.02)
    assert np.allclose(groups, KELVIN, rtol=0.02)
    np.testing.assert_allclose(current.zz_sum()[0], exact_zz(UPPER) * np.eye(3), rtol=1e-6, atol=1e-6)
    spectrum = compute_spectrum(current, resolution_cm=40.0)
    checks = {check.name: check for check in spectrum.quality.checks}
    assert spectrum.temperature_k == pytest.approx(KELVIN, rel=0.02)
    assert checks["f_sum"].status == checks["temperature"].status == checks["com_drift"].status == "ok"
    # the wall takes up the recoil: no drift of the mobile half is removed from J
    expected = np.einsum(
        "i,fia->fa", np.where(np.array(SYMBOLS) == "Mg", 2.0, -2.0), read_velocities(path, UPPER)
    )
    np.testing.assert_allclose(current.total(), expected, atol=1e-9)


def read_velocities(path: Path, moving: np.ndarray) -> np.ndarray:
    rows = [
        line.split() for line in path.read_text().splitlines() if len(line.split()) == 7 and "=" not in line
    ]
    values = np.array([[float(word) for word in row[4:]] for row in rows]).reshape(N_FRAMES, len(SITES), 3)
    return np.where(moving[None, :, None], values, 0.0)


def test_positions_alone_show_it_too(tmp_path: Path) -> None:
    path = write_slab(tmp_path / "slab.xyz", UPPER, velocities=False)
    with pytest.warns(BecMDWarning, match="has no velocities"):
        current = compute_current(path, charges=CHARGES, timestep_fs=DT_FS)
    # the midpoint rule damps 500 cm⁻¹ by 3 % and 250 cm⁻¹ by 1 %
    assert current.kinetic_temperature()[0] == pytest.approx(KELVIN, rel=0.04)
    assert np.allclose(np.diag(current.zz_sum()[0]), exact_zz(UPPER))


@pytest.mark.filterwarnings("ignore:.*has no velocities")
@pytest.mark.parametrize("velocities", [True, False])
def test_axes_along_which_an_atom_is_held_are_no_degrees_of_freedom(tmp_path: Path, velocities: bool) -> None:
    """Selective dynamics `T T F` of the upper half: 8 of 48 components rest."""
    moving = np.ones((len(SITES), 3), dtype=bool)
    moving[UPPER, 2] = False
    path = write_slab(tmp_path / "slab.xyz", moving, velocities=velocities)
    current = compute_current(path, charges=CHARGES, timestep_fs=DT_FS)
    assert current.metadata["constraints"] == 8
    # 6 ps; the midpoint rule damps; half of the center of mass is held along z
    assert current.kinetic_temperature(8)[0] == pytest.approx(KELVIN, rel=0.05)
    everywhere = exact_zz(np.ones(len(SITES), dtype=bool))
    np.testing.assert_allclose(
        current.zz_sum()[0], np.diag([everywhere, everywhere, exact_zz(~UPPER)]), rtol=1e-6, atol=1e-6
    )
    # rigid bonds that are stated come on top
    found = compute_spectrum(current, resolution_cm=40.0, temperature_k=KELVIN, constraints=2)
    assert found.parameters["constraints"] == 10


@pytest.mark.filterwarnings("ignore:.*has no velocities")
@pytest.mark.parametrize("velocities", [True, False])
@pytest.mark.parametrize("strain", [0.0, 0.01])  # of a barostat
def test_axes_of_an_oblique_cell_along_which_atoms_are_held(
    tmp_path: Path, velocities: bool, strain: float
) -> None:
    """Selective dynamics holds fractional coordinates: `F T T` of 3 of 8 atoms, `T F F` of another one."""
    cell = np.array([[6.0, 0.0, 0.0], [-3.0, 5.2, 0.0], [0.7, 0.0, 6.4]])
    masses = np.array([24.305, 15.999] * 4)
    random = np.random.default_rng(6)
    motion = random.normal(scale=0.03, size=(2, 8, 3))  # along the vectors of the cell
    motion[:, :3, 0] = motion[:, 3, 1:] = 0.0
    sites = random.uniform(size=(8, 3))
    with (tmp_path / "run.xyz").open("w") as file:
        for t in range(60):
            cosine, sine = np.cos(0.07 * t + np.arange(8.0)), np.sin(0.05 * t + np.arange(8.0))
            now = (1.0 + strain * np.sin(0.03 * t)) * cell
            x = ((sites + motion[0] * cosine[:, None] + motion[1] * sine[:, None]) % 1.0) @ now
            sine, cosine = np.sin(0.07 * t + np.arange(8.0)), np.cos(0.05 * t + np.arange(8.0))
            v = (-0.07 * motion[0] * sine[:, None] + 0.05 * motion[1] * cosine[:, None]) @ now
            file.write(f'8\nLattice="{" ".join(map(str, now.ravel()))}" pbc="T T T" ')
            file.write("Properties=species:S:1:pos:R:3" + (":vel:R:3\n" if velocities else "\n"))
            for i, row in enumerate(np.hstack([x, v]) if velocities else x):
                file.write(f"{('Mg', 'O')[i % 2]} {' '.join(f'{c:.6f}' for c in row)}\n")
    current = compute_current(tmp_path / "run.xyz", charges=CHARGES, timestep_fs=1.0)
    assert current.metadata["constraints"] == 3 + 2 - round((masses[:4].sum() + masses[3]) / masses.sum())
    across, along = np.cross(cell[1], cell[2]), cell[0]
    exact = (4.0 / masses).sum() * np.eye(3)
    exact -= (4.0 / masses[:3]).sum() * np.outer(across, across) / (across @ across)
    exact -= 4.0 / masses[3] * (np.eye(3) - np.outer(along, along) / (along @ along))
    np.testing.assert_allclose(current.zz_sum()[0], exact, rtol=1e-6, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*has no velocities")
def test_slow_atoms_of_a_short_run_in_an_oblique_cell_are_not_held(tmp_path: Path) -> None:
    """Of 2000 free atoms some leave a lattice plane by less than 2·10⁻⁵ Å in 30 frames."""
    random = np.random.default_rng(7)
    cell = np.array([[40.0, 0.0, 0.0], [-20.0, 35.0, 0.0], [0.0, 0.0, 40.0]])
    speed = random.normal(scale=1e-3, size=(2000, 3))
    places = np.stack(np.meshgrid(*[np.arange(13.0)] * 3), axis=-1).reshape(-1, 3)[:2000] / 13.0 @ cell
    with (tmp_path / "run.xyz").open("w") as file:
        for t in range(30):
            file.write(f'2000\nLattice="{" ".join(map(str, cell.ravel()))}" pbc="T T T" ')
            file.write("Properties=species:S:1:pos:R:3\n")
            np.savetxt(file, places + 0.5 * t * speed, fmt="Mg %.8f %.8f %.8f")
    current = compute_current(tmp_path / "run.xyz", charges={"Mg": 2.0}, timestep_fs=0.5)
    assert (current.metadata["constraints"], current.metadata["remarks"]) == (0, [])


def test_slow_components_of_rounded_places_are_not_held() -> None:
    """Three decimals: of 1000 free atoms some keep a coordinate for 24 frames; 100 held ones are found."""
    speed = np.random.default_rng(4).normal(scale=2e-3, size=(1000, 3))
    start = np.random.default_rng(5).uniform(0, 20, size=(1000, 3))

    def found(speed: np.ndarray, decimals: int = 3, strain: float = 0.0, whole: bool = False) -> Mobility:
        frames = [
            Frame(
                np.round(start + speed * step, decimals),
                np.eye(3) * 20.0 * (1.0 + strain * step),
                np.ones(3, dtype=bool),
                np.full(1000, 8),
            )
            for step in range(30)
        ]
        run: Any = SimpleNamespace(info=SimpleNamespace(n_frames=30), frames=lambda skip: iter(frames[skip:]))
        return find_immobile(frames[:24], 1.0, run if whole else None)

    assert found(speed).held_count == 0
    assert found(speed / 5, 2).immobile is None  # 61 keep all three
    for strain in (0.0, 1e-9):  # in a cell that hardly changes, too
        assert found(speed, 3, strain, whole=True).held_count == 0
        assert found(speed / 5, 2, strain, whole=True).immobile is None
    speed[:100, 2] = 0.0
    assert found(speed).held_count >= 80  # some move too slowly to be seen in each frame


@pytest.mark.parametrize(("axes", "count"), [("xy", 15), ("x", 30)])
def test_a_model_in_fewer_dimensions_has_its_temperature(tmp_path: Path, axes: str, count: int) -> None:
    moving = np.tile([axis in axes for axis in "xyz"], (len(SITES), 1))
    current = compute_current(write_slab(tmp_path / "flat.xyz", moving), charges=CHARGES, timestep_fs=DT_FS)
    assert current.metadata["constraints"] == count
    spectrum = compute_spectrum(current, resolution_cm=40.0)
    # 6 ps: lines of 16 oscillators overlap in the motion of the center of mass
    assert spectrum.temperature_k == pytest.approx(KELVIN, rel=0.05)
    check = next(check for check in spectrum.quality.checks if check.name == "f_sum")
    assert check.status == "ok"
    assert check.value[2] == 1.0  # neither charges that move nor a current along z


@pytest.mark.parametrize("axes", ["", "xy"])
def test_modes_of_a_slab_that_is_held_are_not_made_thermal(tmp_path: Path, axes: str) -> None:
    moving = np.ones((len(SITES), 3), dtype=bool)
    moving[UPPER] = [axis in axes for axis in "xyz"]
    path = write_slab(tmp_path / "slab.xyz", moving)
    path.write_text(path.read_text().replace('pbc="T T F"', 'pbc="T T T"'))
    current = compute_current(path, charges=CHARGES, timestep_fs=DT_FS, groups="sublattices")
    spectrum = compute_spectrum(current, resolution_cm=40.0, control_variates="modes")
    plain = compute_spectrum(current, resolution_cm=40.0, control_variates="none")
    np.testing.assert_array_equal(spectrum.n_alpha, plain.n_alpha)


def test_the_center_of_mass_is_held_along_with_its_atoms(tmp_path: Path) -> None:
    """`T F F` of half of the mass: half of a degree of freedom of the center of mass along y, and along z."""
    moving = np.ones((len(SITES), 3), dtype=bool)
    moving[UPPER, 1:] = False
    current = compute_current(write_slab(tmp_path / "a.xyz", moving), charges=CHARGES, timestep_fs=DT_FS)
    assert current.metadata["constraints"] == 15
    assert current.kinetic_temperature(15)[0] == pytest.approx(KELVIN, rel=0.02)


def test_few_digits_of_positions_do_not_hide_what_velocities_show(tmp_path: Path) -> None:
    moving = np.ones((len(SITES), 3), dtype=bool)
    moving[UPPER, 2] = False
    path = write_slab(tmp_path / "few.xyz", moving, frames=60, digits=1)
    assert compute_current(path, charges=CHARGES, timestep_fs=DT_FS).metadata["constraints"] == 8


@pytest.mark.filterwarnings("ignore:.*has no velocities", "ignore:.*all velocities change at once")
@pytest.mark.parametrize("velocities", [True, False])
def test_a_motion_that_begins_along_some_axes_only(tmp_path: Path, velocities: bool) -> None:
    """Displaced along symmetric axes, atoms move along the others as soon as rounding has broken it."""
    moving = np.ones((len(SITES), 3), dtype=bool)
    moving[UPPER, 1:] = False
    path = write_slab(tmp_path / "begin.xyz", moving, velocities=velocities, late=40, frames=100)
    current = compute_current(path, charges=CHARGES, timestep_fs=DT_FS)
    assert (current.metadata["constraints"], current.metadata["remarks"]) == (0, [])


def test_where_all_atoms_move_nothing_changes(tmp_path: Path) -> None:
    path = write_slab(tmp_path / "bulk.xyz", np.ones(len(SITES), dtype=bool))
    current = compute_current(path, charges=CHARGES, timestep_fs=DT_FS)
    assert current.metadata["remarks"] == []
    assert not current.anchored
    assert np.allclose(np.diag(current.zz_sum()[0]), exact_zz(np.ones(len(SITES), dtype=bool)))


@pytest.mark.filterwarnings("ignore:.*has no velocities")
@pytest.mark.parametrize(
    ("late", "begin", "velocities"),
    [(0, 0, True), (700, 0, True), (0, 100, True), (0, 0, False), (0, 100, False), (700, 100, False)],
)
def test_a_barostat_takes_frozen_atoms_along(tmp_path: Path, late: int, begin: int, velocities: bool) -> None:
    """Their places change with the cell (`fix npt` of LAMMPS with `dilate all`), their velocities are 0."""
    lines, frame = [], -1
    slab = write_slab(tmp_path / "slab.xyz", UPPER, late=late, velocities=velocities)
    for line in slab.read_text().splitlines():
        frame += line == str(len(SITES))
        scale, words = 1.0 + 0.01 * np.sin(0.02 * max(frame - begin, 0)), line.split()
        if line.startswith("Lattice"):
            line = line.replace(
                "4.2 0 0 0 4.2 0 0 0 20", f"{4.2 * scale:.9f} 0 0 0 {4.2 * scale:.9f} 0 0 0 20"
            )
        elif len(words) in (4, 7):
            line = " ".join([words[0], *(f"{scale * float(x):.9f}" for x in words[1:3]), *words[3:]])
        lines.append(line)
    path = tmp_path / "npt.xyz"
    path.write_text("\n".join(lines) + "\n")
    if late:
        with pytest.raises(DataError, match="moves in frame 700, but not in the first frames"):
            compute_current(path, charges=CHARGES, timestep_fs=DT_FS)
        return
    current = compute_current(path, charges=CHARGES, timestep_fs=DT_FS)
    assert current.kinetic_temperature()[0] == pytest.approx(KELVIN, rel=0.02 if velocities else 0.05)
    np.testing.assert_allclose(current.zz_sum()[0], exact_zz(UPPER) * np.eye(3), rtol=1e-6, atol=1e-6)


def test_atoms_that_are_looked_at_may_all_be_frozen(tmp_path: Path) -> None:
    """Every fourth of 64 atoms is, and a barostat takes them along: rounding is no motion."""
    generator, frames = np.random.default_rng(3), []
    sites = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) / 4
    phases = np.where(sites[:, 2:] < 0.5, 0.0, generator.uniform(0.1, 6.0, (64, 3)))
    for step in range(40):
        edge = 8.4 * (1.0 + 0.003 * np.sin(0.01 * step))
        moved = 0.1 * np.where(phases > 0.0, np.sin(0.15 * step + phases), 0.0)
        rows = "\n".join("O {:.8f} {:.8f} {:.8f}".format(*row) for row in edge * sites + moved)
        frames.append(f'64\nLattice="{edge} 0 0 0 {edge} 0 0 0 {edge}" pbc="T T T"\n{rows}\n')
    (tmp_path / "npt.xyz").write_text("".join(frames))
    assert len(list(open_trajectory(tmp_path / "npt.xyz", timestep_fs=2.0))) == 40


def test_atoms_that_set_off_later_stop_the_run(tmp_path: Path) -> None:
    path = write_slab(tmp_path / "late.xyz", UPPER, late=700)
    with pytest.raises(DataError, match="moves in frame 700, but not in the first frames"):
        compute_current(path, charges=CHARGES, timestep_fs=DT_FS)
    assert compute_current(path, charges=CHARGES, timestep_fs=DT_FS, start=700).metadata["remarks"] == []


def test_atoms_that_are_moved_by_hand_in_a_constant_cell_stop_the_run(tmp_path: Path) -> None:
    """Their velocities stay 0: only a barostat moves such atoms without a current."""
    path = write_slab(tmp_path / "pushed.xyz", UPPER)
    lines, size = path.read_text().splitlines(), len(SITES) + 2
    for at in range(700 * size + 2, len(lines), size):
        words = lines[at].split()
        lines[at] = " ".join([words[0], f"{float(words[1]) + 0.3:.9f}", *words[2:]])
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="moves in frame 700, but not in the first frames"):
        compute_current(path, charges=CHARGES, timestep_fs=DT_FS)


@pytest.mark.parametrize("sum_rule", ["mass", "equal", "none"])
def test_the_f_sum_rule_holds_for_every_sum_rule(tmp_path: Path, sum_rule: str) -> None:
    """Charges that violate the sum rule: with a wall, mass leaves them, equal shares correct them."""
    path = write_slab(tmp_path / "slab.xyz", UPPER)
    current = compute_current(path, charges={"Mg": 2.2, "O": -2.0}, timestep_fs=DT_FS)
    total, _ = current.zz_sum(sum_rule)
    kt = BOLTZMANN_EV_K * KELVIN / AMU_ANG2_FS2_EV
    # lines of 6 cm⁻¹ within 250 cm⁻¹ along three axes: 9 %; counting all atoms would double the right side
    measured = (current.total(sum_rule) ** 2).mean(axis=0)
    np.testing.assert_allclose(measured.sum(), kt * np.trace(total), rtol=0.2)


def test_a_stored_current_remembers_who_moves(tmp_path: Path) -> None:
    path = write_slab(tmp_path / "slab.xyz", UPPER)
    first = compute_current(path, charges=CHARGES, timestep_fs=DT_FS, output=tmp_path / "j.h5")
    again = compute_current(path, charges=CHARGES, timestep_fs=DT_FS, output=tmp_path / "j.h5")
    for series in (first, again):
        assert series.anchored
        assert series.group_free.tolist() == [4, 4]
        assert series.kinetic_temperature()[0] == pytest.approx(KELVIN, rel=0.02)


# ---------------------------------------------------------------------- sites without mass
def write_four_site_water(path: Path, frames: int = 60) -> Path:
    """Rigid four-site molecules that rock and turn: the M site (type 3) carries the negative charge."""
    shape = np.array([[0.0, 0.0, 0.0], [0.757, 0.586, 0.0], [-0.757, 0.586, 0.0], [0.0, 0.15, 0.0]])
    centers = np.array([[2.0, 2.0, 2.0], [6.0, 2.0, 2.0], [2.0, 6.0, 5.0]])
    turns = [np.linalg.qr(RNG.normal(size=(3, 3)))[0] for _ in centers]
    spin = RNG.normal(scale=0.02, size=(len(centers), 3))
    out = []
    for frame in range(frames):
        out.append(f"ITEM: UNITS\nreal\nITEM: TIME\n{2.0 * frame}\nITEM: TIMESTEP\n{2 * frame}")
        out.append("ITEM: NUMBER OF ATOMS\n12\nITEM: BOX BOUNDS pp pp pp\n0 8\n0 8\n0 8")
        out.append("ITEM: ATOMS id type xu yu zu vx vy vz")
        for m, (center, turn) in enumerate(zip(centers, turns, strict=True)):
            arms = Rotation.from_rotvec(spin[m] * 2.0 * frame).apply(shape @ turn.T)
            velocity = 0.0025 * np.cos(0.1 * frame + m) * np.ones(3) + np.cross(spin[m], arms)
            for s, (arm, v) in enumerate(zip(arms, velocity, strict=True)):
                position = " ".join(f"{c:.8f}" for c in center + arm + 0.05 * np.sin(0.1 * frame + m))
                out.append(
                    f"{4 * m + s + 1} {(1, 2, 2, 3)[s]} {position} " + " ".join(f"{c:.10f}" for c in v)
                )
    path.write_text("\n".join(out) + "\n")
    return path


def test_a_site_without_mass_carries_a_charge(tmp_path: Path) -> None:
    path = write_four_site_water(tmp_path / "tip4p.lammpstrj")
    charges = "fixed:O=0,H=0.52,3=-1.04"
    current = compute_current(path, charges=charges, elements=("O", "H", "NULL"))
    assert current.groups == ("O", "H", "X")
    assert current.n_atoms == 12
    assert current.total_mass_amu == pytest.approx(3 * 18.015, abs=0.01)
    # neutral molecules: a rigid translation carries no current, and the center of mass is that of the atoms
    assert current.sum_rule_residual_e() == pytest.approx(0.0, abs=1e-12)
    hidden = compute_current(path, charges="fixed:O=0,H=0.52", elements=("O", "H", "NULL"))
    assert hidden.n_atoms == 9
    assert hidden.kinetic_temperature()[0] == pytest.approx(current.kinetic_temperature()[0], rel=1e-12)
    # what the site adds is −1.04 e times its velocity
    x = current.current[:, current.groups.index("X")]
    np.testing.assert_allclose(current.total("none") - hidden.total("none"), x, atol=1e-12)
    # Σ Z Zᵀ/m of sites that hang on their atoms is not known
    assert current.zz_sum() is None
    spectrum = compute_spectrum(current, temperature_k=300.0)
    assert {c.name: c.status for c in spectrum.quality.checks}["f_sum"] == "unknown"


@pytest.mark.parametrize(
    ("charges", "elements", "message"),
    [
        ("fixed:O=0,H=0.52,1=-1.04", ("O", "H", "NULL"), "type 1 is O"),
        ("fixed:O=0,H=0.52,3=-1.04", ("O", "NULL", "NULL"), "different charges, or none"),
        ("fixed:O=0,H=0.52,4=-1.04", ("O", "H", "NULL"), "'4' in"),
    ],
)
def test_charges_of_sites_that_are_none(
    tmp_path: Path, charges: str, elements: tuple[str, ...], message: str
) -> None:
    path = write_four_site_water(tmp_path / "tip4p.lammpstrj", 5)
    with pytest.raises(UsageError, match=message):
        compute_current(path, charges=charges, elements=elements)


def test_a_model_does_not_know_sites(tmp_path: Path) -> None:
    path = write_four_site_water(tmp_path / "tip4p.lammpstrj", 5)
    with pytest.raises(DataError, match="does not know X"):
        compute_current(path, "water", elements=("O", "H", "X"))
