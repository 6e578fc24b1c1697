"""The blocks of docs/ run as they stand, in a folder with small versions of the files that they name."""

from __future__ import annotations

import re
import warnings
from glob import glob
from pathlib import Path

import numpy as np
import pytest

from bec_md.structure import Frame
from bec_md.trajectory import open_trajectory
from tests import forked
from tests.benchmarks import vibrating_water

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
FRAMES = 120

#: Pages whose blocks build on each other run in one folder, from top to bottom.
PAGES = sorted(
    page.relative_to(DOCS).as_posix()
    for page in DOCS.rglob("*.md")
    if re.search(r"^```(sh|python)$", page.read_text(encoding="utf-8"), re.MULTILINE)
)


def frames() -> list[Frame]:
    return list(open_trajectory(ROOT / "examples/quartz/quartz_300K.npz", stop=FRAMES).frames())


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trajectories of quartz, 5 fs apart, as other programs write them."""
    folder = tmp_path_factory.mktemp("docs")
    run = frames()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the libraries that write the files
        write_with_ase(folder, run)
        write_with_mdanalysis(folder, run)
    write_dump(folder / "dump.lammpstrj", run)
    vibrating_water.write(folder / "water.xyz", 24, 400)
    write_tables(folder, run)
    link_examples(folder / "examples")
    return folder


def link_examples(folder: Path) -> None:
    """The examples, but two of the twenty runs of the perovskite: all are read in tests/examples."""
    runs = Path("perovskite", "runs")
    (folder / runs).mkdir(parents=True)
    whole = ROOT / "examples"
    for item in (*whole.iterdir(), *(whole / "perovskite").iterdir(), *sorted((whole / runs).iterdir())[:2]):
        if not (link := folder / item.relative_to(whole)).exists():
            link.symlink_to(item)


def write_with_ase(folder: Path, run: list[Frame]) -> None:
    import ase
    import ase.io
    import ase.units

    images = []
    for frame in run:
        atoms = ase.Atoms(frame.numbers, frame.positions_ang, cell=frame.cell_ang, pbc=True)
        atoms.set_velocities(frame.velocities_ang_fs / ase.units.fs)
        images.append(atoms)
    ase.io.write(folder / "md.traj", images)
    for name, part in (("traj.xyz", images), ("run1.xyz", images[:55]), ("run2.xyz", images[65:])):
        ase.io.write(folder / name, part, format="extxyz", columns=["symbols", "positions", "momenta"])
    order = np.argsort(run[0].numbers, kind="stable")
    ase.io.write(folder / "XDATCAR", [atoms[order] for atoms in images], format="vasp-xdatcar")
    for atoms in images:  # as GPUMD names the column, in Å/fs
        atoms.set_array("vel", atoms.get_velocities() * ase.units.fs)
    ase.io.write(folder / "dump.xyz", images, format="extxyz", columns=["symbols", "positions", "vel"])
    bohr_per_time = ase.units.Bohr / ase.units.AUT
    for kind in ("pos", "vel"):
        for atoms in images:
            atoms.pbc, atoms.cell = False, None
            if kind == "vel":
                atoms.positions = atoms.get_velocities() / bohr_per_time
        for k, atoms in enumerate(images):
            comment = f" i = {k:8d}, time = {5.0 * k:12.3f}, E = -1.0"
            path = folder / f"quartz-{kind}-1.xyz"
            ase.io.write(path, atoms, format="xyz", comment=comment, append=k > 0)


def write_with_mdanalysis(folder: Path, run: list[Frame]) -> None:
    import MDAnalysis
    from ase.data import chemical_symbols
    from MDAnalysis.lib.mdamath import triclinic_box

    universe = MDAnalysis.Universe.empty(len(run[0].numbers), trajectory=True)
    symbols = [chemical_symbols[z] for z in run[0].numbers]
    for attribute in ("names", "elements", "types"):
        universe.add_TopologyAttr(attribute, symbols)
    universe.add_TopologyAttr("resnames", ["SIO"])
    universe.dimensions = triclinic_box(*run[0].cell_ang)
    universe.atoms.positions = run[0].positions_ang
    universe.atoms.write(folder / "topology.pdb")
    with MDAnalysis.Writer(str(folder / "traj.dcd"), n_atoms=len(symbols)) as writer:
        for frame in run:
            universe.atoms.positions = frame.positions_ang
            universe.dimensions = triclinic_box(*frame.cell_ang)
            writer.write(universe.atoms)


def write_dump(path: Path, run: list[Frame]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        for step, frame in enumerate(run):
            (ax, _, _), (bx, by, _), (_, _, cz) = frame.cell_ang
            print(f"ITEM: TIMESTEP\n{5 * step}\nITEM: NUMBER OF ATOMS\n{len(frame.numbers)}", file=stream)
            print("ITEM: BOX BOUNDS xy xz yz pp pp pp", file=stream)
            print(f"{min(0, bx)} {ax + max(0, bx)} {bx}\n0 {by} 0\n0 {cz} 0", file=stream)
            print("ITEM: ATOMS id type x y z vx vy vz", file=stream)
            table = np.hstack([frame.positions_ang, 1000.0 * frame.velocities_ang_fs])  # Å/ps
            for number, (z, row) in enumerate(zip(frame.numbers, table, strict=True), start=1):
                numbers = " ".join(f"{value:.6f}" for value in row)
                print(number, 1 if z == 14 else 2, numbers, file=stream)


def write_tables(folder: Path, run: list[Frame]) -> None:
    charges = np.where(run[0].numbers == 14, 3.4, -1.7)
    moment = np.array([charges @ frame.positions_ang for frame in run])
    np.savetxt(folder / "dipole.out", np.column_stack([np.arange(len(run)), moment]))
    nu = np.linspace(100.0, 1500.0, 700)
    lines = [(376.0, 3e4), (430.0, 8e4), (775.0, 3e4), (1040.0, 2e5)]
    measured = sum(height / (1.0 + ((nu - place) / 15.0) ** 2) for place, height in lines)
    np.savetxt(
        folder / "measured.csv",
        np.column_stack([nu, measured]),
        delimiter=",",
        header="wavenumber_cm,n_alpha_cm",
        comments="",
    )


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of the blocks that run, in their order."""
    return re.findall(
        r"^```(sh|python)\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(page: str, files: Path, tmp_path: Path) -> None:
    for item in files.iterdir():
        (tmp_path / item.name).symlink_to(item)
    for language, text in blocks(DOCS / page):
        commands = [["-c", text]]
        if language == "sh":
            lines = text.replace("\\\n", " ").splitlines()
            commands = [line.split("#")[0].split() for line in lines if line.strip()]
            assert all(line.startswith("bec-md ") for line in lines if line.strip()), text
        for command in commands:
            words = [
                name
                for word in command
                for name in (
                    (language == "sh" and "*" in word and sorted(glob(word, root_dir=tmp_path))) or [word]
                )
            ]
            result = forked.run(words, tmp_path)
            assert result.returncode == 0, (page, text, result.stderr[-2000:])


def test_links_of_the_documentation_lead_somewhere() -> None:
    pages = [*DOCS.rglob("*.md"), ROOT / "README.md", *(ROOT / "examples").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"(?<!\\)\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http://", "https://")):
                assert (page.parent / target).exists(), (page, target)


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).as_posix()
        assert name == "README.md" or f"({name})" in index, name


def test_the_training_configurations_are_valid() -> None:
    """Those of the documentation, and those of the bundled models."""
    import yaml

    from bec_md.training.config import load_config, parse_config

    text = (DOCS / "training.md").read_text(encoding="utf-8")
    shown = [
        parse_config(yaml.safe_load(block)) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    ]
    assert [config.name for config in shown] == ["mine", "teacher", "pupil", "wide", "mgo"]
    pupil = shown[2]
    assert pupil.data[1].teachers == ("teacher/model.safetensors",)
    assert pupil.data[1].validation == pupil.data[0].validation  # the same frames are held back
    assert shown[3].data[1].substitute
    for path in sorted((ROOT / "bec_md/network/bundled").glob("*.yaml")):
        config = load_config(path)
        assert config.name == path.stem
        assert config.card["tests"]
