"""Modes, their velocities, charges, widths and shares of the spectrum, against an exactly known crystal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from ase import Atoms

from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.modes import (
    ReferenceModes,
    mode_velocities,
    modes_from_force_constants,
    read_modes,
    resolve_modes,
)
from bec_md.modes.files import expand_compact
from bec_md.modes.reference import close_together
from bec_md.modes.resolved import fitted_charges, real_part
from bec_md.structure import Frame
from bec_md.units import AMU_ANG2_FS2_EV, wavenumber_from_angular_frequency
from bec_md.validate.crystal import HarmonicCrystal, random_crystal
from tests.modes.run import FrameList, frames_of

DT, STEPS = 5.0, 12000


def spread_out(crystal: HarmonicCrystal) -> HarmonicCrystal:
    """Sites far enough apart that thermal motion does not confuse them."""
    grid = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) / 2.0 + 0.1
    return replace(crystal, positions_ang=grid @ crystal.cell_ang)


@pytest.fixture(scope="module")
def crystal() -> HarmonicCrystal:
    return spread_out(random_crystal(seed=4, gamma_cm=25.0))


@pytest.fixture(scope="module")
def run(crystal: HarmonicCrystal) -> tuple[np.ndarray, np.ndarray]:
    return crystal.run(STEPS, DT, np.random.default_rng(1))


def force_constants(crystal: HarmonicCrystal) -> np.ndarray:
    n = len(crystal.masses_amu)
    root = np.sqrt(np.repeat(crystal.masses_amu, 3))
    matrix = crystal.dynamical_matrix * np.outer(root, root) * AMU_ANG2_FS2_EV
    return matrix.reshape(n, 3, n, 3).transpose(0, 2, 1, 3)


def atoms_of(crystal: HarmonicCrystal) -> Atoms:
    atoms = Atoms(crystal.symbols, crystal.positions_ang, cell=crystal.cell_ang, pbc=True)
    atoms.set_masses(crystal.masses_amu)
    return atoms


def modes_of(crystal: HarmonicCrystal):
    atoms = atoms_of(crystal)
    return modes_from_force_constants(
        force_constants(crystal), crystal.cell_ang, crystal.positions_ang, atoms.numbers, crystal.masses_amu
    )


def write_text(path: Path, phi: np.ndarray, first: list[int] | None = None) -> Path:
    rows = list(range(len(phi))) if first is None else first
    n = phi.shape[1]
    lines = [f"{len(rows)} {n}"]
    for row, i in enumerate(rows):
        for j in range(n):
            lines.append(f"{i + 1} {j + 1}")
            lines += [" ".join(f"{x:.15f}" for x in line) for line in phi[row, j]]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_frequencies_and_mode_charges_of_the_crystal(crystal: HarmonicCrystal) -> None:
    modes = modes_of(crystal)
    exact, vectors = crystal.modes()
    np.testing.assert_allclose(
        modes.frequencies_cm, [wavenumber_from_angular_frequency(w) for w in exact], rtol=1e-9
    )
    overlap = np.abs(modes.eigenvectors.reshape(21, -1) @ vectors)
    np.testing.assert_allclose(overlap, np.eye(21), atol=1e-7)
    # signs of eigenvectors are arbitrary, squares are not
    np.testing.assert_allclose(
        modes.mode_charges(crystal.charges) ** 2, crystal.mode_charges() ** 2, atol=1e-9
    )
    assert len(modes.unstable) == 0
    assert len(modes.degenerate(1e-6)) == 21
    assert len(modes.degenerate(1e6)) == 1


@pytest.mark.parametrize("kind", ["text", "force_constants", "dynamical_matrix", "eigenvectors"])
def test_every_file_gives_the_same_modes(crystal: HarmonicCrystal, tmp_path: Path, kind: str) -> None:
    phi = force_constants(crystal)
    root = np.sqrt(np.repeat(crystal.masses_amu, 3))
    modes = modes_of(crystal)
    if kind == "text":
        path = write_text(tmp_path / "FORCE_CONSTANTS", phi)
    else:
        content = {
            "force_constants": {"force_constants": phi},
            "dynamical_matrix": {
                "dynamical_matrix": phi.transpose(0, 2, 1, 3).reshape(24, 24) / np.outer(root, root)
            },
            "eigenvectors": {"frequencies_cm": modes.frequencies_cm, "eigenvectors": modes.eigenvectors},
        }[kind]
        path = tmp_path / "modes.npz"
        np.savez(path, **content)
    masses = {"Mg": 24.305, "O": 15.999}
    found = read_modes(path, atoms_of(crystal), masses)
    np.testing.assert_allclose(found.frequencies_cm, modes.frequencies_cm, rtol=1e-8)


def chain() -> tuple[Atoms, np.ndarray]:
    """Mg–O chain of three cells along x, springs 5 and 3 eV/Å² along x and 1 across: (6, 6, 3, 3)."""
    cell, d = np.diag([12.0, 6.0, 6.0]), 2.0
    atoms = Atoms("MgO" * 3, [[d * i, 0.0, 0.0] for i in range(6)], cell=cell, pbc=True)
    phi = np.zeros((6, 6, 3, 3))
    for i in range(6):
        j = (i + 1) % 6
        spring = np.diag([5.0 if i % 2 == 0 else 3.0, 1.0, 1.0])
        phi[i, i] += spring
        phi[j, j] += spring
        phi[i, j] -= spring
        phi[j, i] -= spring
    return atoms, phi


def test_data_sets_of_hdf5(tmp_path: Path) -> None:
    atoms, phi = chain()
    for name in ("force_constants", "fc2", "positions"):
        with h5py.File(tmp_path / f"{name}.hdf5", "w") as file:
            file[name] = phi
    a, b = (read_modes(tmp_path / f"{name}.hdf5", atoms) for name in ("force_constants", "fc2"))
    np.testing.assert_array_equal(a.frequencies_cm, b.frequencies_cm)
    with pytest.raises(DataError, match="holds positions"):
        read_modes(tmp_path / "positions.hdf5", atoms)


def test_modes_without_gaps_are_no_group() -> None:
    """2,000 modes of a glass follow each other every half cm⁻¹; a degenerate pair among them stays one."""
    dense = np.sort(np.append(100.0 + 0.5 * np.arange(2000), [250.2, 250.2 + 1e-9]))
    groups = close_together(dense)
    np.testing.assert_array_equal(np.concatenate(groups), np.arange(2002))
    assert max(dense[group[-1]] - dense[group[0]] for group in groups) <= 3.0
    pair = int(np.searchsorted(dense, 250.2 - 1e-6))
    assert any({pair, pair + 1} <= set(group.tolist()) for group in groups)
    split = np.array([100.0, 100.9, 101.7, 300.0])  # a threefold mode of coarse force constants
    assert [len(group) for group in close_together(split)] == [3, 1]
    assert close_together(np.array([])) == []


def test_a_dynamical_matrix_of_another_wave_vector_is_refused(tmp_path: Path) -> None:
    """Its imaginary part was dropped without a word; that of Γ may be stored as complex numbers."""
    atoms, phi = chain()
    root = np.sqrt(np.repeat(atoms.get_masses(), 3))
    matrix = phi.transpose(0, 2, 1, 3).reshape(len(root), -1) / np.outer(root, root)
    np.savez(tmp_path / "gamma.npz", dynamical_matrix=matrix + 1e-12j)
    assert read_modes(tmp_path / "gamma.npz", atoms).frequencies_cm[-1] > 0
    odd = np.triu(matrix, 1) - np.triu(matrix, 1).T
    np.savez(tmp_path / "q.npz", dynamical_matrix=matrix + 0.1j * odd)
    with pytest.raises(DataError, match="dynamical_matrix is complex"):
        read_modes(tmp_path / "q.npz", atoms)


def test_a_pair_that_occurs_twice_leaves_no_other_one_undefined(tmp_path: Path) -> None:
    atoms, phi = chain()
    lines = write_text(tmp_path / "FORCE_CONSTANTS", phi).read_text().replace("\n1 2\n", "\n1 1\n")
    (tmp_path / "FORCE_CONSTANTS").write_text(lines)
    with pytest.raises(DataError, match="not finite"):
        read_modes(tmp_path / "FORCE_CONSTANTS", atoms)


def test_compact_force_constants_are_expanded_by_translations(tmp_path: Path) -> None:
    atoms, phi = chain()
    full = expand_compact(phi[[0, 1]], np.array([0, 1]), np.array(atoms.cell), atoms.positions, atoms.numbers)
    np.testing.assert_allclose(full, phi, atol=1e-14)
    path = write_text(tmp_path / "FORCE_CONSTANTS", phi[[0, 3]], [0, 3])
    modes = read_modes(path, atoms)
    whole = read_modes(write_text(tmp_path / "FULL", phi), atoms)
    np.testing.assert_allclose(modes.frequencies_cm, whole.frequencies_cm, atol=1e-6)
    for name, rows in (("full.hdf5", phi), ("compact.hdf5", phi[[0, 3]])):  # phonopy's other format
        with h5py.File(tmp_path / name, "w") as file:
            file["force_constants"], file["p2s_map"] = rows, [0, 3]
            file["physical_unit"] = np.array([b"eV/angstrom^2"], dtype=object)
        modes = read_modes(tmp_path / name, atoms)
        assert modes.name == f"{name} in eV/angstrom^2"
        np.testing.assert_allclose(modes.frequencies_cm, whole.frequencies_cm, atol=1e-6)
    with pytest.raises(DataError, match="2 atoms"):
        read_modes(tmp_path / "full.hdf5", atoms[:2])
    # the stretching mode of the zone center: ω² = (5 + 3)(1/m + 1/m')
    mass = 1.0 / atoms.get_masses()[0] + 1.0 / atoms.get_masses()[1]
    exact = wavenumber_from_angular_frequency(float(np.sqrt(8.0 * mass / AMU_ANG2_FS2_EV)))
    assert modes.frequencies_cm[-1] == pytest.approx(exact, rel=1e-9)


def test_mode_velocities_obey_equipartition(crystal: HarmonicCrystal, run) -> None:
    trajectory = FrameList(frames_of(crystal, *run, DT), DT)
    found = mode_velocities(trajectory, modes_of(crystal))
    assert found.velocities.shape == (STEPS, 21)
    assert found.n_cells == 1
    # 60 ps at γ = 25 cm⁻¹: ~γT = 280 independent energies, 8 % each mode, 1.9 % all
    temperatures = found.temperatures()
    assert np.mean(temperatures) == pytest.approx(300.0, rel=0.06)
    assert np.abs(temperatures / 300.0 - 1.0).max() < 0.35
    moments = found.velocities.T @ found.velocities
    scale = np.sqrt(np.outer(np.diag(moments), np.diag(moments)))
    assert np.abs(moments / scale - np.eye(21)).max() < 0.25  # normal modes do not talk to each other
    kinetic = 0.5 * np.sum(found.velocities**2)
    assert kinetic == pytest.approx(0.5 * np.sum(crystal.masses_amu[:, None] * run[1] ** 2), rel=1e-10)


def test_supercell_in_any_order_and_orientation(crystal: HarmonicCrystal, run) -> None:
    rng = np.random.default_rng(5)
    angle = 0.4
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    order = rng.permutation(16)
    base = frames_of(crystal, run[0][:40], run[1][:40], DT)
    frames: list[Frame] = []
    for f in base:
        assert f.velocities_ang_fs is not None
        positions = np.concatenate([f.positions_ang, f.positions_ang + crystal.cell_ang[1]])
        frames.append(
            replace(
                f,
                positions_ang=(positions @ turn.T)[order],
                velocities_ang_fs=(np.tile(f.velocities_ang_fs, (2, 1)) @ turn.T)[order],
                cell_ang=(crystal.cell_ang * np.array([[1], [2], [1]])) @ turn.T,
                numbers=np.tile(f.numbers, 2)[order],
                masses_amu=np.tile(f.masses_amu, 2)[order],
            )
        )
    modes = modes_of(crystal)
    one = mode_velocities(FrameList(base, DT), modes)
    two = mode_velocities(FrameList(frames, DT), modes)
    assert two.n_cells == 2
    # both cells move alike: √2 times the velocity of one
    np.testing.assert_allclose(two.velocities, np.sqrt(2.0) * one.velocities, atol=1e-9)


def test_shares_add_up_and_widths_are_the_friction(crystal: HarmonicCrystal, run) -> None:
    modes = modes_of(crystal)
    velocities = mode_velocities(FrameList(frames_of(crystal, *run, DT), DT), modes)
    current = crystal.current(run[1], DT)
    found = resolve_modes(
        velocities, current, charges=crystal.charges, temperature_k=300.0, resolution_cm=8.0, max_cm=1000.0
    )
    total = np.sum(list(found.shares.values()), axis=0)
    np.testing.assert_allclose(total, found.spectrum.n_alpha, atol=1e-12 * found.spectrum.n_alpha.max())
    # constant charges, harmonic forces: nothing is left for the rest
    assert np.abs(found.shares["rest"]).max() < 1e-9 * found.spectrum.n_alpha.max()
    np.testing.assert_allclose(found.mode_charges**2, crystal.mode_charges() ** 2, atol=1e-9)
    positions = np.array([g.position_cm for g in found.groups if len(g.modes) == 1])
    errors = np.array([g.position_err_cm for g in found.groups if len(g.modes) == 1])
    exact = np.array([g.harmonic_cm for g in found.groups if len(g.modes) == 1])
    widths = np.array([[g.width_cm, g.width_err_cm] for g in found.groups if len(g.modes) == 1])
    z = (positions - exact) / errors
    assert np.mean(z**2) < 1.0 + 4.0 * np.sqrt(2.0 / len(z))  # ~20 modes
    assert np.median(errors) < 2.5
    # widths of single modes over 60 ps: ±15 %, with a small bias from multiplicative noise
    assert np.average(widths[:, 0], weights=widths[:, 1] ** -2.0) == pytest.approx(25.0, rel=0.15)
    z = (widths[:, 0] - 25.0) / widths[:, 1]
    assert np.mean(z**2) < 1.0 + 4.0 * np.sqrt(2.0 / len(z))
    # Δε of the modes is the static susceptibility of the crystal
    static = float(np.trace(crystal.eps(np.zeros(1))[0].real - crystal.eps_inf)) / 3.0
    assert sum(g.delta_eps for g in found.groups) == pytest.approx(static, rel=0.03)


def test_the_real_part_of_a_lorentz_oscillator() -> None:
    nu = np.arange(1, 4001) * 0.5
    exact = 40000.0 / (300.0**2 - nu**2 - 1j * 20.0 * nu)
    found = real_part(nu, exact.imag[None])[0]
    # the tail of ε₂ beyond 2000 cm⁻¹ is missing: ∫ω ε₂ there is 2·10⁻⁵ of the whole
    np.testing.assert_allclose(found, exact.real, atol=2e-4 * np.abs(exact).max())


def test_shares_of_epsilon_add_up_to_it(crystal: HarmonicCrystal, run) -> None:
    velocities = mode_velocities(FrameList(frames_of(crystal, *run, DT), DT), modes_of(crystal))
    found = resolve_modes(
        velocities,
        crystal.current(run[1], DT),
        charges=crystal.charges,
        temperature_k=300.0,
        resolution_cm=8.0,
        eps_inf=crystal.eps_inf,
    )
    total = np.sum(list(found.eps_shares().values()), axis=0)
    expected = np.trace(found.spectrum.eps - found.spectrum.eps_inf, axis1=1, axis2=2) / 3.0
    scale = np.abs(expected).max()
    np.testing.assert_allclose(total.imag, expected.imag, atol=1e-9 * scale)
    below = found.spectrum.wavenumber_cm < 1500.0  # near the Nyquist frequency sampling images differ
    np.testing.assert_allclose(total.real[below], expected.real[below], atol=0.01 * scale)


@pytest.mark.parametrize("given", [{}, {"constraints": 5}])
def test_rigid_distances_count_in_the_temperature(
    crystal: HarmonicCrystal, run, given: dict[str, int]
) -> None:
    short = tuple(values[:800] for values in run)
    velocities = mode_velocities(FrameList(frames_of(crystal, *short, DT), DT), modes_of(crystal))
    plain = crystal.current(short[1], DT)
    rigid = plain if given else replace(plain, metadata={**plain.metadata, "constraints": 5})
    found = resolve_modes(velocities, rigid, resolution_cm=30.0, linewidths=False, **given)
    free = resolve_modes(velocities, plain, resolution_cm=30.0, linewidths=False)
    ratio = found.spectrum.temperature_k / free.spectrum.temperature_k
    assert ratio == pytest.approx(21 / 16, rel=1e-9)


def test_charges_fitted_to_the_current(crystal: HarmonicCrystal, run) -> None:
    velocities = mode_velocities(FrameList(frames_of(crystal, *run, DT), DT), modes_of(crystal))
    found = resolve_modes(velocities, crystal.current(run[1], DT), resolution_cm=10.0, linewidths=False)
    exact = np.linalg.norm(crystal.mode_charges(), axis=1)
    fitted = np.linalg.norm(found.mode_charges, axis=1)
    strong = exact > 0.3 * exact.max()
    # cross-correlation with 20 other modes over ~280 independent samples
    np.testing.assert_allclose(fitted[strong], exact[strong], rtol=0.35)
    assert found.spectrum.temperature_k == pytest.approx(300.0, rel=0.06)
    assert np.isnan(found.groups[0].position_cm)


def test_positions_only_use_the_midpoint_rule(crystal: HarmonicCrystal, run) -> None:
    frames = frames_of(crystal, run[0][:2000], None, DT)
    velocities = mode_velocities(FrameList(frames, DT, "midpoint"), modes_of(crystal))
    assert velocities.velocities.shape == (1999, 21)
    assert velocities.scheme == "midpoint"
    stored = mode_velocities(
        FrameList(frames_of(crystal, *(x[:2000] for x in run), DT), DT), modes_of(crystal)
    )
    # damping of the differences is divided out (0.87 at 850 cm⁻¹); ends of the run: 1 %
    np.testing.assert_allclose(velocities.temperatures(), stored.temperatures(), rtol=0.01)
    current = replace(crystal.current(np.diff(run[0][:2000], axis=0) / DT, DT), scheme="midpoint")
    found = resolve_modes(
        velocities,
        current,
        charges=crystal.charges,
        temperature_k=300.0,
        resolution_cm=30.0,
        linewidths=False,
    )
    assert np.abs(found.shares["rest"]).max() < 1e-9 * found.spectrum.n_alpha.max()
    with pytest.raises(DataError, match="same frames"):
        resolve_modes(velocities, crystal.current(run[1], DT), temperature_k=300.0)


def wrong_way_round(modes: ReferenceModes) -> ReferenceModes:
    """All 24 eigenvectors with those of the translations, as columns where rows are meant."""
    root = np.sqrt(modes.masses_amu / modes.masses_amu.sum())
    uniform = np.einsum("n,ab->anb", root, np.eye(3))
    rows = np.concatenate([uniform, modes.eigenvectors]).reshape(24, 24)
    frequencies = np.concatenate([np.zeros(3), modes.frequencies_cm])
    assert len(replace(modes, frequencies_cm=frequencies, eigenvectors=rows.reshape(24, 8, 3)).soft) == 0
    return replace(modes, frequencies_cm=frequencies, eigenvectors=rows.T.reshape(24, 8, 3))


def test_bad_input(crystal: HarmonicCrystal, run, tmp_path: Path) -> None:
    modes = modes_of(crystal)
    with pytest.raises(UsageError, match="no such file"):
        read_modes(tmp_path / "none", atoms_of(crystal))
    (tmp_path / "bad").write_text("hello world\n1 2 3\n", encoding="utf-8")
    with pytest.raises(DataError, match="FORCE_CONSTANTS"):
        read_modes(tmp_path / "bad", atoms_of(crystal))
    path = write_text(tmp_path / "fc", force_constants(crystal))
    with pytest.raises(DataError, match="the structure has 7 atoms"):
        read_modes(path, atoms_of(crystal)[:7])
    np.savez(tmp_path / "x.npz", frequencies_cm=modes.frequencies_cm, eigenvectors=1.1 * modes.eigenvectors)
    with pytest.raises(DataError, match="orthonormal"):
        read_modes(tmp_path / "x.npz", atoms_of(crystal))
    columns = modes.eigenvectors.reshape(21, -1)
    np.savez(tmp_path / "x.npz", frequencies_cm=modes.frequencies_cm, eigenvectors=columns)
    with pytest.raises(DataError, match="cannot be told apart"):
        read_modes(tmp_path / "x.npz", atoms_of(crystal))
    broken = force_constants(crystal)
    broken[~np.eye(8, dtype=bool)] = 0.0
    with pytest.raises(DataError, match="a uniform translation has"):
        modes_from_force_constants(
            broken, crystal.cell_ang, crystal.positions_ang, modes.numbers, crystal.masses_amu
        )
    with pytest.raises(DataError, match="a uniform translation has"):
        wrong_way_round(modes)
    broken = force_constants(crystal)
    broken[0, 1] += 5.0 * np.abs(broken).max()
    with pytest.raises(DataError, match="differs from"):
        modes_from_force_constants(
            broken, crystal.cell_ang, crystal.positions_ang, modes.numbers, crystal.masses_amu
        )
    frames = frames_of(crystal, run[0][:3], run[1][:3], DT)
    with pytest.raises(UsageError, match="how much time"):
        mode_velocities(FrameList(frames, None), modes)
    heavy = [replace(f, masses_amu=np.where(f.numbers == 8, 18.0, f.masses_amu)) for f in frames]
    with pytest.raises(DataError, match=r"O .* has 18 amu in memory, 15\.999"):
        mode_velocities(FrameList(heavy, DT), modes)
    other = [replace(f, numbers=np.full(8, 14)) for f in frames]
    with pytest.raises(DataError, match="do not match"):
        mode_velocities(FrameList(other, DT), modes)


def test_modes_of_one_frequency_are_regressed_together() -> None:
    """Phases that last make them correlated in a finite run: each alone would take what the others carry."""
    random = np.random.default_rng(3)
    time = DT * np.arange(4000)
    phases = np.array([0.0, 0.9, 2.5])
    beats = 1.0 + 0.9 * np.sin(1e-3 * np.outer(time, [1.0, 1.7, 2.3]) + random.uniform(0, 6, 3))
    velocities = beats * np.cos(0.05 * time[:, None] + phases)
    charges = random.normal(size=(3, 3))
    current = velocities @ charges
    found = fitted_charges(velocities, current, [np.array([0, 1, 2])])
    np.testing.assert_allclose(found, charges, rtol=1e-9)


def test_modes_that_move_in_step_are_said() -> None:
    """Three modes of one frequency span two dimensions, cos and sin: three charges cannot be known."""
    time = DT * np.arange(4000)
    velocities = np.cos(0.05 * time[:, None] + 2 * np.pi / 3 * np.arange(3))
    current = velocities @ (0.7 * np.eye(3))
    with pytest.warns(BecMDWarning, match="modes 0, 1, 2 move in step"):
        found = fitted_charges(velocities, current, [np.array([0, 1, 2])])
    np.testing.assert_allclose(velocities @ found, current, atol=1e-6)
    assert np.sum(found**2) < 3 * 0.7**2
