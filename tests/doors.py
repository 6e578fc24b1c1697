"""Every door for files that are no trajectory of another program: a healthy file, and what opens it.

Foreign trajectories have their own list, `tests.trajectory.readers.test_formats.FORMATS`.

    python -m tests.doors 60                # damage and open files of all kinds for an hour
    python -m tests.doors 10 OUTCAR         # one kind
    python -m tests.doors 10 OUTCAR --guided  # the same guided by coverage (pip install atheris)

Every file is opened in a process of its own; what crashed or raised is printed with its seed, and kept.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bec_md.errors import BecMDError
from tests.current.lammps_log import HEAD, multi, one, rows, yaml
from tests.training.outputs import OUTCAR, PH_OUTPUT, VASPRUN, write_vaspout
from tests.trajectory.readers.fuzz import damage
from tests.trajectory.truth import assert_helpful


@dataclass(frozen=True)
class Door:
    """A kind of file.

    Parameters
    ----------
    name
        Name of the file; its suffix may matter.
    write
        Writes a healthy one.
    open
        Reads it to its end.
    """

    name: str
    write: Callable[[Path], object]
    open: Callable[[Path], object]


def _text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content)


def _series(path: Path) -> object:
    from bec_md.current import open_current

    if path.name.startswith("a.ave"):
        return open_current(path, volume_ang3=900.0, lammps_units="metal", timestep_fs=2.0)
    if path.name.startswith("log"):
        return open_current(path, volume_ang3=900.0, lammps_units="metal")
    return open_current(path, timestep_fs=1.0, volume_ang3=100.0, units="e*ang/fs")


def _current(path: Path) -> None:
    from bec_md.current import compute_current
    from tests.current.toy import oscillators, trajectory

    frames = trajectory(oscillators(), 12, 2.0)
    compute_current(frames, charges="fixed:Si=4,O=-2,Li=1", timestep_fs=2.0, output=path)


def _spectrum(path: Path) -> None:
    from bec_md.spectrum import compute_spectrum, write_hdf5
    from tests.spectrum.exact import neutral_system

    write_hdf5(
        compute_spectrum(neutral_system(), temperature_k=300.0, resolution_cm=200.0, max_cm=900.0), path
    )


def _model(path: Path) -> None:
    from bec_md.network.model_file import save_model
    from tests.network.conftest import make_network

    save_model(path, make_network(members=1), {"name": "small"})


def _evaluate(path: Path) -> None:
    from ase import Atoms

    from bec_md.network import load_model

    atoms = Atoms("SiO2", [[0, 0, 0], [1.6, 0, 0], [0, 1.6, 0]], cell=6 * np.eye(3), pbc=True)
    load_model(path, threads=1).predict(atoms)


def _compact(path: Path) -> None:
    from tests.trajectory.readers.motion import Motion

    motion = Motion(n_frames=6)
    np.savez(
        path,
        numbers=np.array([11, 11, 17, 17]),
        cell_ang=motion.cell,
        positions_ang=motion.positions,
        velocities_ang_fs=motion.velocities,
        timestep_fs=np.array(1.0),
    )


def _extxyz(path: Path, columns: str = "", tensor: str = "") -> None:
    from tests.trajectory.readers.motion import Motion

    motion = Motion(n_frames=6)
    lattice = " ".join(map(str, motion.cell.ravel()))
    with path.open("w") as out:
        for k in range(6):
            out.write(f'4\nLattice="{lattice}" Properties=species:S:1:pos:R:3:vel:R:3{columns} time_fs={k}\n')
            for i, symbol in enumerate(motion.symbols):
                values = [*motion.positions[k, i], *motion.velocities[k, i]]
                out.write(symbol + " " + " ".join(f"{v:.8f}" for v in values) + tensor + "\n")


def _dump(path: Path) -> None:
    from tests.trajectory.readers.motion import Motion

    motion = Motion(n_frames=6)
    with path.open("w") as out:
        for k in range(6):
            out.write(
                f"ITEM: UNITS\nmetal\nITEM: TIME\n{k / 1000}\nITEM: TIMESTEP\n{k}\nITEM: NUMBER OF ATOMS\n4\n"
            )
            out.write("ITEM: BOX BOUNDS pp pp pp\n0 9\n0 9\n0 9\n")
            out.write("ITEM: ATOMS id element xu yu zu vx vy vz\n")
            for i, symbol in enumerate(motion.symbols):
                values = [*motion.positions[k, i], *1000.0 * motion.velocities[k, i]]
                out.write(f"{i + 1} {symbol} " + " ".join(f"{v:.6f}" for v in values) + "\n")


def _frames(path: Path) -> None:
    from bec_md.trajectory import open_trajectory

    for frame in open_trajectory(path, velocity_units="ang/fs" if path.suffix == ".xyz" else None).frames():
        assert np.isfinite(frame.positions_ang).all()


def _labels(path: Path) -> object:
    from bec_md.structure.extxyz import read_frames

    return read_frames(path)


def _output(path: Path) -> object:
    from bec_md.training.collection import read_output

    return read_output(path)


def _born(path: Path) -> object:
    from bec_md.charges.born_file import read_born

    return read_born(path)


def _curve(path: Path) -> object:
    from bec_md.compare import open_curve

    return open_curve(path, "n" if path.suffix != ".jdx" else "n_alpha")


def _modes(path: Path) -> object:
    from ase import Atoms

    from bec_md.modes.files import read_modes

    return read_modes(path, Atoms("MgO", [[0, 0, 0], [2.1, 0, 0]], cell=4.2 * np.eye(3), pbc=True))


def _config(path: Path) -> object:
    from bec_md.training.config import load_config

    return load_config(path)


def _load(module: str, name: str) -> Callable[[Path], object]:
    def load(path: Path) -> object:
        function: Any = getattr(import_module(module), name)
        return function(path)

    return load


TENSOR = " 2 0 0 0 2 0 0 0 2"
COLUMNS = "\n".join(f"{0.1 * k:.3f} {0.2 * (-1) ** k:.3f} {0.3 / (k + 1):.6f}" for k in range(60)) + "\n"
AVE = "# Time-averaged data for fix 1\n# TimeStep f_b[1] f_b[2] f_b[3]\n" + "\n".join(
    f"{2 * k} {line}" for k, line in enumerate(COLUMNS.splitlines())
)
CP2K = "".join(f" Dipole moment [Debye]\n    X= {k % 5}.1 Y= 0.2 Z= 0.3     Total= 1.0\n" for k in range(20))
TABLE = "wavenumber_cm,n,k\n" + "\n".join(f"{10 * k},1.5,0.{k}" for k in range(1, 9)) + "\n"
NK = "DATA:\n  - type: tabulated nk\n    data: |\n" + "".join(
    f"        {9 - k}.0 1.5 0.1\n" for k in range(8)
)
JCAMP = (
    "##TITLE=made up\n##JCAMP-DX=4.24\n##DATA TYPE=INFRARED SPECTRUM\n##XUNITS=1/CM\n##YUNITS=ABSORBANCE\n"
    "##FIRSTX=400\n##LASTX=407\n##NPOINTS=8\n##XFACTOR=1\n##YFACTOR=0.1\n##DELTAX=1\n##XYDATA=(X++(Y..Y))\n"
    "400 1 2 3 4\n404 5 6 7 8\n##END=\n"
)
FORCES = "2 2\n" + "".join(
    f"{i} {j}\n{f:.1f} 0 0\n0 {f:.1f} 0\n0 0 {f:.1f}\n"
    for i, j, f in ((1, 1, 2), (1, 2, -2), (2, 1, -2), (2, 2, 2))
)
CONFIG = "data: [{path: d.xyz, level: pbe}]\nschedule: {epochs: 1}\noutput: out\nnetwork: {channels: 8}\n"

DOORS = (
    Door("log.one", _text(HEAD + "run 160\n" + one(rows())), _series),
    Door("log.multi", _text(HEAD + "run 160\n" + multi(rows())), _series),
    Door("log.yaml", _text(HEAD + "run 160\n" + yaml(rows())), _series),
    Door("a.ave", _text(AVE), _series),
    Door("cp.out", _text(CP2K), _series),
    Door("j.dat", _text(COLUMNS), _series),
    Door("j.npy", lambda path: np.save(path, np.ones((30, 3)) * np.arange(30)[:, None] % 7), _series),
    Door("j.npz", lambda path: np.savez(path, current_e_ang_fs=np.ones((30, 3)), timestep_fs=1.0), _series),
    Door("dpdt.out", _text("".join(f"{k} 1 2 3 4 5 {k % 3}\n" for k in range(20))), _series),
    Door("current.h5", _current, _load("bec_md.current", "load_current")),
    Door("spectrum.h5", _spectrum, _load("bec_md.spectrum", "load_spectrum")),
    Door("model.safetensors", _model, _evaluate),
    Door("t.npz", _compact, _frames),
    Door("t.xyz", _extxyz, _frames),
    Door("labels.xyz", lambda path: _extxyz(path, ":born_effective_charges:R:9", TENSOR), _labels),
    Door("t.lammpstrj", _dump, _frames),
    Door("OUTCAR", _text(OUTCAR), _output),
    Door("vasprun.xml", _text(VASPRUN), _output),
    Door("vaspout.h5", write_vaspout, _output),
    Door("ph.out", _text(PH_OUTPUT), _output),
    Door("BORN", _text("default\n" + "3 0 0 0 3 0 0 0 3\n" + "2 0 0 0 2 0 0 0 2\n" * 2), _born),
    Door("table.csv", _text(TABLE), _curve),
    Door("nk.yml", _text(NK), _curve),
    Door("ir.jdx", _text(JCAMP), _curve),
    Door("FORCE_CONSTANTS", _text(FORCES), _modes),
    Door("train.yaml", _text(CONFIG), _config),
    Door(
        "log.csv", _text("epoch,train_loss\n0,1.0\n1,0.5\n2,\n"), _load("bec_md.plot.loss_curve", "read_log")
    ),
    Door("card.json", _text(json.dumps({"schema": 2})), lambda path: _header(path.read_bytes())),
)


def _header(data: bytes) -> object:
    from bec_md.current.header import parse_header

    return parse_header(data.decode("utf-8", "replace"), "card.json")


def attempt(door: Door, path: Path) -> str:
    """Open a file: "read", "refused", or raise what should not be raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            door.open(path)
        except BecMDError as error:
            assert_helpful(error)
            return "refused"
    return "read"


def healthy(door: Door, folder: Path) -> bytes:
    """Content of a healthy file."""
    door.write(folder / door.name)
    return (folder / door.name).read_bytes()


def main(minutes: float, only: str = "") -> None:
    """Damage and open until the time is over; print what crashed or raised, and keep it."""
    doors = [door for door in DOORS if only in door.name]
    folder = Path(tempfile.mkdtemp())
    contents = {door.name: healthy(door, folder) for door in doors}
    tally: Counter[str] = Counter()
    seed, end = int(time.time()), time.monotonic() + 60 * minutes
    while time.monotonic() < end:
        door, seed = doors[seed % len(doors)], seed + 1
        path = folder / door.name
        path.write_bytes(damage(contents[door.name], np.random.default_rng(seed)))
        pid = os.fork()
        if pid == 0:
            code = 9
            try:
                signal.alarm(60)
                code = {"read": 0, "refused": 1}[attempt(door, path)]
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        outcome = {0: "read", 1: "refused"}.get(status, "FAILED")
        tally[outcome] += 1
        if outcome == "FAILED":
            kept = path.rename(folder / f"failed-{seed}-{door.name}")
            print(f"{door.name}: seed {seed}, status {status}, kept as {kept}", flush=True)
    print(dict(tally))


def _guided(minutes: float, only: str = "") -> None:
    """Let atheris choose what is damaged, by the lines of bec_md that a file reaches."""
    atheris = import_module("atheris")
    for name in [name for name in sys.modules if name.split(".")[0] in ("bec_md", "tests")]:
        del sys.modules[name]
    with atheris.instrument_imports(include=["bec_md"]):  # what is imported late, too
        anew = import_module("tests.doors")
        door = next(door for door in anew.DOORS if only in door.name)
        folder = Path(tempfile.mkdtemp())
        (corpus := folder / "corpus").mkdir()
        (corpus / "healthy").write_bytes(anew.healthy(door, folder))
        path = folder / door.name

        def one(data: bytes) -> None:
            path.write_bytes(data)
            anew.attempt(door, path)

        limits = [f"-max_total_time={60 * minutes:.0f}", "-timeout=60", "-len_control=0"]
        atheris.Setup([sys.argv[0], *limits, f"-artifact_prefix={folder}/", str(corpus)], one)
        atheris.Fuzz()


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--guided"]
    (_guided if "--guided" in sys.argv else main)(float(words[0]), *words[1:2])
