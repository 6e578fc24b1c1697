from __future__ import annotations

import warnings

import ase.io
import numpy as np
import pytest
from ase import Atoms, units

from bec_md.errors import DataError, UsageError
from bec_md.trajectory import open_trajectory
from bec_md.trajectory.options import ReadOptions
from bec_md.trajectory.readers.topology import species_of_topology
from tests.trajectory.motion import HarmonicMotion
from tests.trajectory.test_stream import universe
from tests.trajectory.truth import Truth, assert_helpful

MDAnalysis = pytest.importorskip("MDAnalysis")


@pytest.mark.parametrize("name", ["t.traj", "t.json", "t.db", "XDATCAR", "t.cif", "t.xsf"])
def test_formats_of_ase(truth: Truth, tmp_path, name: str) -> None:
    images = truth.atoms(times=False)
    order = np.argsort(-truth.numbers, kind="stable")  # XDATCAR keeps species together
    images = [image[order] for image in images]
    path = tmp_path / name
    ase.io.write(path, images, **({"format": "vasp-xdatcar"} if name == "XDATCAR" else {}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ASE's own (cif: fractional translations, db: …)
        trajectory = open_trajectory(path, timestep_fs=2.0)
        frames = list(trajectory.frames())
    assert trajectory.info.format == ("xdatcar" if name == "XDATCAR" else f"ase:{path.suffix[1:]}")
    kept = range(1) if len(frames) == 1 else range(5)
    for index, frame in zip(kept, frames, strict=True):
        expected = truth.positions[index][order]
        difference = (frame.positions_ang - expected) @ np.linalg.inv(frame.cell_ang)
        # Some of these formats wrap positions or turn the cell; scaled positions survive that to 1e-5.
        scaled = frame.positions_ang @ np.linalg.inv(frame.cell_ang) - expected @ np.linalg.inv(truth.cell)
        assert np.abs(scaled - np.rint(scaled)).max() < 1e-5
        assert np.isfinite(difference).all()
        assert frame.volume_ang3 == pytest.approx(504.0, rel=1e-4)


def test_a_pdb_of_several_models_has_one_cell_and_one_end(truth: Truth, tmp_path) -> None:
    """CRYST1 in front of the first model, END behind the last ENDMDL, as MDAnalysis writes."""
    path = tmp_path / "t.pdb"
    ase.io.write(path, truth.atoms(times=False))
    cell, *rest = path.read_text().splitlines(keepends=True)
    assert cell.startswith("CRYST1")
    path.write_text(cell + "".join(line for line in rest if not line.startswith("CRYST1")) + "END\n")
    frames = list(open_trajectory(path, timestep_fs=2.0).frames())
    assert len(frames) == len(truth.positions)
    assert all(frame.pbc.all() for frame in frames)
    assert frames[-1].volume_ang3 == pytest.approx(504.0, rel=1e-4)


def test_masses_that_turn_momenta_into_other_velocities_than_those_of_the_motion() -> None:
    motion = HarmonicMotion()
    images = motion.images(range(6))
    for image in images:
        del image.arrays["masses"]
    with pytest.raises(DataError, match="not the masses that the run had"):
        open_trajectory(images, timestep_fs=1.0, masses={"Na": 46.0})
    for image in images:  # momenta of a run of heavy sodium, in a file that does not say so
        image.set_momenta(image.get_momenta() * np.array([[2.0], [1.0]] * 2))
    heavy = {"Na": 2.0 * motion.masses[0]}
    frame = next(open_trajectory(images, timestep_fs=1.0, masses=heavy).frames())
    assert frame.velocities_ang_fs is not None
    np.testing.assert_allclose(frame.velocities_ang_fs, motion.velocities[0], rtol=1e-4)


def test_fast_atoms_between_stored_frames_have_no_other_masses() -> None:
    """A quarter period and more between frames: displacements are longer than mean velocities say."""
    time = np.arange(30) * 12.0
    turn = 2 * np.pi * 2.99792458e-5 * np.array([[100.0], [1000.0]]) * time  # both atoms, radians
    images = []
    for phase in (turn + np.array([[0.3], [1.1]])).T:
        image = Atoms("OH", positions=[[0, 0, 0], [4, 0, 0]], cell=[8] * 3, pbc=True)
        image.positions[:, 0] += 0.05 * np.sin(phase)
        image.set_velocities(0.05 * (turn[:, 1] / 12.0 * np.cos(phase))[:, None] * [1, 0, 0] / units.fs)
        images.append(image)
    assert len(list(open_trajectory(images, timestep_fs=12.0, masses={"H": 1.008}).frames())) == 30


def test_options_that_do_nothing_for_objects_are_refused(truth: Truth) -> None:
    with pytest.raises(UsageError, match="`elements` with objects of ASE"):
        open_trajectory(truth.atoms(times=False), timestep_fs=2.0, elements="Na,Cl")
    with pytest.raises(UsageError, match="`velocity_units` with objects of MDAnalysis"):
        open_trajectory(universe(truth), timestep_fs=2.0, velocity_units="ang/fs")


def test_atoms_in_memory_keep_masses_charges_and_net_charge(truth: Truth) -> None:
    images = truth.atoms(charges=True)
    for image in images:
        image.set_masses([24.0, 24.0, 18.0, 18.0, 18.0, 24.0, 18.0])
        image.info["charge"] = 2
        image.set_velocities(image.get_velocities())
    trajectory = open_trajectory(images, masses={"Mg": 25.0})
    assert trajectory.info.masses_amu.tolist() == [25.0, 25.0, 18.0, 18.0, 18.0, 25.0, 18.0]
    frame = next(trajectory.frames())
    assert frame.total_charge == 2.0
    np.testing.assert_array_equal(frame.born_effective_charges, truth.charges[0])
    single = open_trajectory(images[0])
    assert single.info.n_frames == 1


@pytest.mark.parametrize(
    ("name", "per_ang_fs"), [("vel", 1.0), ("velo", 1.0), ("velocities", 1.0 / units.fs)]
)
def test_velocities_that_ase_leaves_in_arrays_are_those_of_the_file(
    truth: Truth, tmp_path, name: str, per_ang_fs: float
) -> None:
    path = tmp_path / "t.xyz"
    heavy = np.broadcast_to([[25.0]] * 7, (truth.n_frames, 7, 1)) - 9.0 * (truth.numbers == 8)[:, None]
    path.write_text(truth.extxyz({name: truth.velocities * per_ang_fs, "mass": heavy}))
    images = ase.io.read(path, ":")
    for source in (path, images):
        trajectory = open_trajectory(source, timestep_fs=truth.timestep_fs)
        assert trajectory.info.has_velocities
        assert trajectory.info.masses_amu.tolist() == heavy[0, :, 0].tolist()
        velocities = [frame.velocities_ang_fs for frame in trajectory]
        np.testing.assert_allclose(velocities, truth.velocities, rtol=1e-5, atol=1e-9)
    assert not open_trajectory(images, timestep_fs=2.0, velocities="none").info.has_velocities
    for atoms, velocity in zip(images, truth.velocities, strict=True):
        atoms.set_velocities(velocity / units.fs)  # momenta of the standard masses
    np.testing.assert_allclose(next(iter(open_trajectory(images))).velocities_ang_fs, truth.velocities[0])
    for atoms in images:
        atoms.arrays["mass"] = heavy[0]  # (N, 1): something else
    assert open_trajectory(images).info.masses_amu[0] != heavy[0, 0, 0]


def test_frames_are_copies(truth: Truth) -> None:
    images = truth.atoms()
    frame = next(open_trajectory(images).frames())
    frame.positions_ang[:] = 0.0
    assert np.abs(images[0].positions).max() > 1.0


@pytest.mark.parametrize(
    ("suffix", "precision"), [("trr", 1e-6), ("xtc", 6e-3), ("dcd", 1e-6), ("ncdf", 1e-6), ("h5md", 1e-6)]
)
def test_binary_formats_through_mdanalysis(truth: Truth, tmp_path, suffix: str, precision: float) -> None:
    """Units of each format are converted by MDAnalysis: nm, Å/ps and AKMA all come back as Å and Å/fs."""
    system = universe(truth)
    system.add_TopologyAttr("names", truth.symbols)
    system.add_TopologyAttr("resnames", ["MGO"])
    system.add_TopologyAttr("resids", [1])
    path, topology = tmp_path / f"t.{suffix}", tmp_path / "t.pdb"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        extra = {"velocities": True} if suffix in ("ncdf",) else {}
        if suffix == "h5md":
            extra = {"lengthunit": "nm", "velocityunit": "nm/ps", "timeunit": "ps"}
        if suffix == "dcd":
            extra = {"dt": truth.timestep_fs / 1e3, "remarks": "CREATED BY NAMD"}
        with MDAnalysis.Writer(str(path), len(truth.numbers), n_frames=5, **extra) as writer:
            for _ in system.trajectory:
                writer.write(system.atoms)
        system.trajectory[0]
        system.atoms.write(str(topology))
    for source, options in (((topology, path), {}), (path, {"topology": topology})):
        trajectory = open_trajectory(source, **options)
        info = trajectory.info
        assert info.format == {"ncdf": "amber-netcdf"}.get(suffix, suffix)
        assert info.numbers.tolist() == truth.numbers.tolist()
        assert info.timestep_fs == pytest.approx(truth.timestep_fs, rel=1e-4)  # times in single precision
        assert info.has_velocities == (suffix in ("trr", "ncdf", "h5md"))
        for index, frame in enumerate(trajectory.frames()):
            # XTC rounds to 0.01 Å; the others keep single precision of numbers around 10 Å. DCD and XTC
            # also keep the cell as lengths and angles or turned to lower triangular form.
            np.testing.assert_allclose(frame.positions_ang, truth.positions[index], atol=precision + 2e-6)
            np.testing.assert_allclose(frame.cell_ang, truth.cell, atol=2e-5)
            if frame.velocities_ang_fs is not None:
                np.testing.assert_allclose(frame.velocities_ang_fs, truth.velocities[index], atol=1e-8)


def test_universe_in_memory_has_no_trusted_times(truth: Truth) -> None:
    trajectory = open_trajectory(universe(truth))
    assert trajectory.info.timestep_fs is None
    assert "no times in the file" in trajectory.info.units_note


def test_elements_are_not_guessed(truth: Truth) -> None:
    system = MDAnalysis.Universe.empty(7, trajectory=True)
    system.add_TopologyAttr("names", ["CA", "CA", "OW", "OW", "OW", "CA", "OW"])
    system.dimensions = [10, 10, 10, 90, 90, 90]
    with pytest.raises(UsageError) as caught:
        open_trajectory(system)
    assert_helpful(caught.value, "neither elements nor masses", "elements=")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        system.guess_TopologyAttrs(to_guess=["masses", "elements"])
    with pytest.raises(UsageError):
        open_trajectory(system)
    assert open_trajectory(system, elements={"CA": "Ca", "OW": "O"}).info.numbers[0] == 20


def test_masses_of_a_topology_identify_elements(truth: Truth) -> None:
    system = MDAnalysis.Universe.empty(3, trajectory=True)
    system.dimensions = [10, 10, 10, 90, 90, 90]
    system.add_TopologyAttr("masses", [15.9994, 1.008, 2.014])
    info = open_trajectory(system).info
    assert info.numbers.tolist() == [8, 1, 1]
    assert info.masses_amu.tolist() == [15.9994, 1.008, 2.014]
    system.add_TopologyAttr("masses", [15.9994, 1.008, 14.9])
    with pytest.raises(UsageError) as caught:
        open_trajectory(system)
    assert_helpful(caught.value, "14.9", "atom 2")


def test_masses_set_over_guessed_ones_count(tmp_path) -> None:
    """Heavy water from a GRO file: MDAnalysis had guessed 1.008 by the names."""
    path = tmp_path / "w.gro"
    rows = [
        f"{1:5d}SOL  {name:>5}{k:5d}{0.1 * k:8.3f}{0:8.3f}{0:8.3f}"
        for k, name in enumerate(("OW", "HW1", "HW2"), 1)
    ]
    path.write_text("\n".join(["t", "3", *rows, " 0.4 0.4 0.4"]) + "\n")
    system = MDAnalysis.Universe(str(path))
    named = {"OW": "O", "HW1": "H", "HW2": "H"}
    standard = open_trajectory(system, elements=named).info.masses_amu
    assert standard[1] == pytest.approx(1.008)
    system.select_atoms("name HW*").masses = 2.014
    assert open_trajectory(system, elements=named).info.masses_amu.tolist() == [standard[0], 2.014, 2.014]


def test_names_are_mapped_where_a_few_of_them_are_types_as_well() -> None:
    """MDAnalysis guesses the types O, H, NA, CL from the names of a GRO file of salt water."""
    system = MDAnalysis.Universe.empty(5, trajectory=True)
    system.atoms.positions = 2.5 * np.arange(5)[:, None] * np.ones(3)
    system.dimensions = [20, 20, 20, 90, 90, 90]
    system.add_TopologyAttr("names", ["OW", "HW1", "HW2", "NA", "CL"])
    system.add_TopologyAttr("types", ["O", "H", "H", "NA", "CL"])
    named = {"OW": "O", "HW1": "H", "HW2": "H", "NA": "Na", "CL": "Cl"}
    assert open_trajectory(system, elements=named).info.numbers.tolist() == [8, 1, 1, 11, 17]


def test_transformations_that_turn_atoms_against_their_box_are_refused(truth: Truth) -> None:
    from MDAnalysis import transformations

    system = universe(truth)
    system.trajectory.add_transformations(transformations.wrap(system.atoms))
    assert open_trajectory(system).info.n_atoms == 7
    system = universe(truth)
    system.trajectory.add_transformations(transformations.rotateby(30.0, [0, 0, 1], ag=system.atoms))
    with pytest.raises(UsageError) as caught:
        open_trajectory(system)
    assert_helpful(caught.value, "rotateby", "without it")


@pytest.mark.parametrize("turned", [False, True])
def test_a_box_whose_directions_mdanalysis_does_not_keep(tmp_path, turned: bool) -> None:
    h5py = pytest.importorskip("h5py")
    path, angle = tmp_path / "run.h5md", 0.3 if turned else 0.0
    turn = np.array(
        [[np.cos(angle), np.sin(angle), 0.0], [-np.sin(angle), np.cos(angle), 0.0], [0.0, 0.0, 1.0]]
    )
    with h5py.File(path, "w") as file:
        file.create_group("h5md").attrs["version"] = [1, 1]
        atoms = file.create_group("particles/all")
        atoms.create_group("box").attrs.update({"dimension": 3, "boundary": ["periodic"] * 3})
        for name, values in (
            ("position", [[[0, 0, 0], [2.5, 0, 0]]] * 3),
            ("box/edges", [5.0 * np.eye(3)] * 3),
        ):
            atoms[f"{name}/value"] = np.array(values, dtype=float) @ turn
            atoms[f"{name}/step"], atoms[f"{name}/time"] = np.arange(3), np.arange(3.0)
    system = MDAnalysis.Universe.empty(2)
    system.add_TopologyAttr("elements", ["Mg", "O"])
    system.load_new(str(path), format="H5MD", convert_units=False)
    if not turned:
        assert open_trajectory(system).info.n_frames == 3
        return
    with pytest.raises(UsageError) as caught:
        open_trajectory(system)
    assert_helpful(caught.value, "directions", "open_trajectory(path)")


@pytest.mark.parametrize("turned", [False, True])
def test_a_hexagonal_box_of_dl_poly_is_kept_where_it_is_not_turned(tmp_path, turned: bool) -> None:
    cell = np.array([[5.0, 0.0, 0.0], [-2.5, 2.5 * np.sqrt(3.0), 0.0], [0.0, 0.0, 7.0]])
    lines = ["made up", "0 3 2 3 0"]
    for step in range(3):
        lines.append(f"timestep {step:9d} 2 0 3 0.001000 {0.001 * step:.6f}")
        lines += [" ".join(f"{x:.10f}" for x in row) for row in (cell[:, ::-1] if turned else cell)]
        for atom, (name, x) in enumerate((("Mg", 0.0), ("O", 2.5)), 1):
            lines += [f"{name:8s}{atom:10d} 16.000000 0.000000 0.000000", f"{x:.6f} {0.1 * step:.6f} 0.0"]
    (tmp_path / "HISTORY").write_text("\n".join(lines) + "\n")
    system = MDAnalysis.Universe(str(tmp_path / "HISTORY"), format="HISTORY", topology_format="HISTORY")
    system.add_TopologyAttr("elements", ["Mg", "O"])
    if turned:
        with pytest.raises(UsageError, match="directions that MDAnalysis does not keep"):
            open_trajectory(system)
        return
    np.testing.assert_allclose(next(open_trajectory(system).frames()).cell_ang, cell, atol=1e-5)


def massive(masses: list[float], names: list[str] | None = None, types: list[str] | None = None):
    """Atoms with masses, names and types, and no elements."""
    system = MDAnalysis.Universe.empty(len(masses), trajectory=True)
    system.atoms.positions = 2.5 * np.arange(len(masses))[:, None] * np.ones(3)
    system.dimensions = [20, 20, 20, 90, 90, 90]
    for key, values in (("masses", masses), ("names", names), ("types", types)):
        if values is not None:
            system.add_TopologyAttr(key, values)
    return system


@pytest.mark.parametrize("hydrogen_amu", [2.016, 3.024, 4.0])
@pytest.mark.parametrize("named", [True, False])
def test_repartitioned_masses_tell_no_elements(hydrogen_amu: float, named: bool) -> None:
    """N of N-H has the mass of C then, O of O-H that of N; all are heavier by what their hydrogens took."""
    moved = hydrogen_amu - 1.008
    masses = [14.007 - moved, hydrogen_amu, 15.999 - moved, hydrogen_amu, 12.011 - moved]
    names, types = ["N", "HN", "O", "HO", "CA"], ["NH1", "H", "OH1", "HO", "CT1"]
    with pytest.raises(UsageError) as caught:
        open_trajectory(massive(masses, *((names, types) if named else ())))
    assert_helpful(caught.value, "amu", "elements=")
    for options in ({"elements": dict(zip(types, "NHOHC", strict=True))}, {}):
        system = massive(masses, names, types)
        if not options:
            system.add_TopologyAttr("elements", list("NHOHC"))
        info = open_trajectory(system, **options).info
        assert info.numbers.tolist() == [7, 1, 8, 1, 6]
        assert info.masses_amu.tolist() == masses
        assert f"hydrogen of {hydrogen_amu:g} amu" in info.units_note
    with pytest.raises(UsageError):  # hydrogens are named, but the other masses remain changed
        open_trajectory(massive(masses, names, types), elements={"H": "H", "HO": "H"})


def test_names_contradict_elements_of_masses() -> None:
    for mass, name, type_ in ((14.027, "CB", "CH2"), (12.011, "N1", "opls_135"), (22.99, "K", "K+")):
        with pytest.raises(UsageError) as caught:
            open_trajectory(massive([mass], [name], [type_]))
        assert_helpful(caught.value, f"{mass:g} amu", name, "contradicts")
    fine = {
        11: (22.98977, "SOD", "SOD"), 17: (35.453, "CLA", "CLA"), 6: (12.011, "CA", "opls_135"),
        19: (39.0983, "POT", ""), 20: (40.08, "CAL", "CAL"), 1: (2.01, "D1", "DW"), 2: (4.0026, "HE", "He"),
        7: (14.01, "2HN", "N3"), 14: (28.085, "A", "1"),
    }  # fmt: skip
    for number, (mass, name, type_) in fine.items():
        assert open_trajectory(massive([mass], [name], [type_])).info.numbers.tolist() == [number]


def test_formats_that_mdanalysis_reads_wrongly_are_refused(truth: Truth, write) -> None:
    path = write(truth.extxyz({"vel": truth.velocities}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        system = MDAnalysis.Universe(str(path))
    assert system.dimensions is None  # the trap: the box is lost
    with pytest.raises(UsageError) as caught:
        open_trajectory(system)
    assert_helpful(caught.value, "XYZ", "without topology")


def test_qbox_is_in_atomic_units_which_ase_leaves_as_they_are(tmp_path) -> None:
    motion, path, bohr, time = HarmonicMotion(n_frames=8), tmp_path / "run.r", 0.529177210903, 0.024188843266
    a, b, c = (" ".join(map(str, row)) for row in motion.cell / bohr)
    text = '<?xml version="1.0"?>\n<fpmd:simulation xmlns:fpmd="http://x">\n<release>1.6</release>\n'
    for symbol, mass in (("Na", 22.98976928), ("Cl", 35.45)):
        text += f'<species name="{symbol}">\n<symbol>{symbol}</symbol><atomic_number>1</atomic_number>'
        text += f"<mass>{mass}</mass></species>\n"
    text += "<cmd>run 8 1</cmd>\n"
    for positions, velocities in zip(motion.positions / bohr, motion.velocities / bohr * time, strict=True):
        text += f'<iteration>\n<etotal>-1</etotal><atomset>\n<unit_cell a="{a}" b="{b}" c="{c}"/>\n'
        for symbol, x, v in zip(motion.symbols, positions, velocities, strict=True):
            rows = [
                f"<{key}>{' '.join(map(str, row))}</{key}>" for key, row in (("position", x), ("velocity", v))
            ]
            text += f'<atom species="{symbol}">{"".join(rows)}<force>0 0 0</force></atom>\n'
        text += "</atomset></iteration>\n"
    path.write_text(text + "</fpmd:simulation>\n")
    for k, frame in enumerate(open_trajectory(path, timestep_fs=1.0).frames()):
        np.testing.assert_allclose(frame.positions_ang, motion.positions[k], atol=1e-8)
        np.testing.assert_allclose(frame.cell_ang, motion.cell, atol=1e-8)
        np.testing.assert_allclose(frame.velocities_ang_fs, motion.velocities[k], atol=1e-9)


def test_an_arc_of_tinker_is_its_own_topology(tmp_path) -> None:
    motion, path = HarmonicMotion(n_frames=8), tmp_path / "run.arc"
    for box in ("   9.0 9.0 9.0 90.0 90.0 90.0\n", ""):
        text = ""
        for frame in motion.positions:
            text += f"     4  made up\n{box}"
            for i, (symbol, row) in enumerate(zip(motion.symbols, frame, strict=True), start=1):
                text += f"{i:6d}  {symbol:3s}" + "".join(f"{x:12.6f}" for x in row) + "    11\n"
        path.write_text(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            given = {} if box else {"cell_ang": (9.0, 9.0, 9.0)}
            trajectory = open_trajectory(path, timestep_fs=1.0, **given)
            frames = list(trajectory.frames())
        assert trajectory.info.numbers.tolist() == [11, 17, 11, 17]
        for k, frame in enumerate(frames):
            np.testing.assert_allclose(frame.positions_ang, motion.positions[k], atol=2e-6)
            np.testing.assert_allclose(frame.cell_ang, 9.0 * np.eye(3), atol=1e-6)


def test_files_of_a_chain_are_judged_one_by_one(tmp_path) -> None:
    motion = HarmonicMotion(n_frames=8)
    first, *snapshots = motion.lammps("x y z vx vy vz").split("ITEM: TIMESTEP")[1:]
    pdb = tmp_path / "top.pdb"
    ase.io.write(pdb, motion.images([0])[0])
    dumps, dcds = [], []
    for name, text in (("a", first), ("b", "ITEM: TIMESTEP".join(snapshots)), ("c", snapshots[0])):
        dumps.append(tmp_path / f"{name}.dump")
        dumps[-1].write_text("ITEM: TIMESTEP" + text)
        dcds.append(str(tmp_path / f"{name}.dcd"))
        with MDAnalysis.coordinates.DCD.DCDFile(dcds[-1], "w") as file:  # the header of LAMMPS, in its units
            file.write_header("Written by LAMMPS", 4, 0, 1, 1.0, 1)
            for k in {"a": range(4), "b": range(4, 8), "c": range(2)}[name]:
                file.write(motion.positions[k].astype(np.float32), [9.0, 90.0, 9.0, 90.0, 90.0, 9.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chain = MDAnalysis.Universe(str(pdb), list(map(str, dumps)), format="LAMMPSDUMP")
        with pytest.raises(UsageError) as caught:
            open_trajectory(chain)
        assert_helpful(caught.value, "LAMMPSDUMP")
        info = open_trajectory(MDAnalysis.Universe(str(pdb), dcds[:2])).info
        other = open_trajectory(MDAnalysis.Universe(str(pdb), dcds[::2])).info
    assert (info.n_frames, info.timestep_fs) == (8, None)  # 48.9 fs by the header
    assert info.fingerprint != other.fingerprint


@pytest.mark.parametrize("angle", [90.0, 109.47])
def test_edges_of_a_box_without_its_angles(tmp_path, angle: float) -> None:
    """Amber's mdcrd of a truncated octahedron has 0.77 of the volume of its edges."""
    motion = HarmonicMotion(n_frames=4)
    numbers = [list(frame.ravel()) for frame in motion.positions]
    path, pdb, prmtop = tmp_path / "run.mdcrd", tmp_path / "top.pdb", tmp_path / "top.prmtop"
    rows = ["".join(f"{x:8.3f}" for x in row) for n in numbers for row in (n[:10], n[10:], [9.0] * 3)]
    path.write_text("\n".join(["title", *rows]) + "\n")
    ase.io.write(pdb, motion.images([0])[0])
    info = open_trajectory(path, topology=pdb, timestep_fs=1.0).info
    assert any("angles are taken for 90°" in text for text in info.warnings)
    prmtop.write_text(f"%VERSION\n%FLAG BOX_DIMENSIONS\n%FORMAT(5E16.8)\n {angle:.8E} 9.0 9.0 9.0\n")
    universe_of_pdb = MDAnalysis.Universe(str(pdb), str(path), to_guess=())
    universe_of_pdb.filename = str(prmtop)
    if angle == 90.0:
        info = open_trajectory(universe_of_pdb, timestep_fs=1.0).info
        assert not any("angles" in text for text in info.warnings)
        return
    with pytest.raises(DataError) as caught:
        open_trajectory(universe_of_pdb, timestep_fs=1.0)
    assert_helpful(caught.value, "109.5°", "NetCDF")


def test_universe_without_box(truth: Truth) -> None:
    system = universe(truth)
    system.trajectory.dimensions_array[:] = 0.0
    with pytest.raises(DataError) as caught:
        open_trajectory(system)
    assert_helpful(caught.value)


def test_files_that_do_not_belong_together(truth: Truth, tmp_path, write) -> None:
    topology = write("not a topology", "t.pdb")
    with pytest.raises(DataError) as caught:
        open_trajectory(write("not a trajectory", "t.xtc"), topology=topology)
    assert_helpful(caught.value, "t.xtc", "not a TRR or XTC")


@pytest.mark.parametrize(
    ("style", "columns"),
    [
        ("atomic", "{i} {kind}"),
        ("charge", "{i} {kind} 1.0"),
        ("full", "{i} 1 {kind} 1.0"),
        ("bond", "{i} 1 {kind}"),
    ],
)
@pytest.mark.parametrize("name", ["top.data", "data.run"])
def test_data_files_of_lammps_are_topologies(
    truth: Truth, tmp_path, style: str, columns: str, name: str
) -> None:
    head = f"made\n\n{len(truth.numbers)} atoms\n2 atom types\n\n0 9 xlo xhi\n0 9 ylo yhi\n0 9 zlo zhi\n\n"
    rows = [
        columns.format(i=i, kind=1 if number == 12 else 2) + " 0.1 0.2 0.3 0 0 0"
        for i, number in enumerate(truth.numbers, start=1)
    ]
    path = tmp_path / name
    path.write_text(head + f"Masses\n\n1 24.305\n2 15.999\n\nAtoms # {style}\n\n" + "\n".join(rows) + "\n")
    species = species_of_topology(path, ReadOptions(), "t.dcd", len(truth.numbers))
    assert species.numbers.tolist() == truth.numbers.tolist()


def test_a_universe_of_several_files_that_repeat_a_frame(truth: Truth, tmp_path) -> None:
    system, pdb = universe(truth), tmp_path / "t.pdb"
    files = [str(tmp_path / "1.trr"), str(tmp_path / "2.trr")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        system.atoms.write(str(pdb))
        for name, frames in zip(files, ((0, 1, 2), (2, 3, 4)), strict=True):
            with MDAnalysis.Writer(name, len(truth.numbers)) as writer:
                for index in frames:
                    system.trajectory[index].time = index * truth.timestep_fs * 1e-3
                    writer.write(system.atoms)
        chained = MDAnalysis.Universe(str(pdb), files)
    with pytest.raises(DataError, match="frame 3: its time 4 fs is not later"):
        list(open_trajectory(chained))
