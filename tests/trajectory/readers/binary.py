"""Binary files of the motion, written by MDAnalysis, SciPy, ASE and by hand."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import ase
import ase.io
import numpy as np
from ase import units

from tests.trajectory.readers.motion import Motion


def pdb(
    m: Motion, folder: Path, names: tuple[str, ...] | None = None, elements: tuple[str, ...] | None = None
) -> Path:
    """Topology with one atom per line."""
    lines = ["CRYST1    9.000    8.631    9.370  84.00  94.00  80.00 P 1           1"]
    for i, symbol in enumerate(m.symbols):
        name = symbol if names is None else names[i]
        element = symbol if elements is None else elements[i]
        x, y, z = m.positions[0, i]
        lines.append(
            f"ATOM  {i + 1:5d} {name:<4s} UNK X   1    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          "
            f"{element.upper():>2s}  "
        )
    (folder / "top.pdb").write_text("\n".join([*lines, "END"]) + "\n")
    return folder / "top.pdb"


def trr(m: Motion, folder: Path, *, every: int = 1, name: str = "run.trr", since_ps: float = 0.0) -> Path:
    """TRR (or XTC) with velocities in every n-th frame."""
    from MDAnalysis.lib.formats.libmdaxdr import TRRFile

    with TRRFile(str(folder / name), "w") as file:
        box = (m.cell / 10).astype(np.float32)
        for k in range(m.n_frames):
            v = (m.velocities[k] * 100).astype(np.float32) if k % every == 0 else None
            x = (m.positions[k] / 10).astype(np.float32)
            file.write(x, v, None, box, k, since_ps + k * m.timestep_fs / 1e3, 0.0, 4)
    return folder / name


def xtc(m: Motion, folder: Path) -> Path:
    """XTC with a precision of 0.0001 Å."""
    from MDAnalysis.lib.formats.libmdaxdr import XTCFile

    with XTCFile(str(folder / "run.xtc"), "w") as file:
        box = (m.cell / 10).astype(np.float32)
        for k in range(m.n_frames):
            file.write((m.positions[k] / 10).astype(np.float32), box, k, k * m.timestep_fs / 1e3, 1e5)
    return folder / "run.xtc"


def dcd(
    m: Motion,
    folder: Path,
    *,
    remarks: str = "REMARKS FILENAME=run.dcd CREATED BY NAMD",
    delta: float | None = None,
) -> Path:
    """DCD with lengths and angles of the cell; time in AKMA units, 48.88821 fs."""
    from MDAnalysis.lib.formats.libdcd import DCDFile

    a, b, c = np.linalg.norm(m.cell, axis=1)
    unit = m.cell / np.linalg.norm(m.cell, axis=1)[:, None]
    alpha, beta, gamma = (np.degrees(np.arccos(unit[i] @ unit[j])) for i, j in ((1, 2), (0, 2), (0, 1)))
    with DCDFile(str(folder / "run.dcd"), "w") as file:
        step = m.timestep_fs / 48.88821 if delta is None else delta
        file.write_header(remarks=remarks, natoms=4, istart=0, nsavc=1, delta=step, is_periodic=1)
        for frame in m.positions:
            file.write(xyz=frame.astype(np.float32), box=np.array([a, gamma, b, beta, alpha, c]))
    return folder / "run.dcd"


def amber(
    m: Motion, folder: Path, *, times: bool = True, units: tuple[str, str] | None = None,
    length: float = 1.0, time: float = 1e3, since_ps: float = 0.0,
) -> Path:  # fmt: skip
    """Amber NetCDF by SciPy; velocities over 20.455 in Å/ps, or stated units of `length` Å and `time` fs."""
    from scipy.io import netcdf_file

    lengths = np.linalg.norm(m.cell, axis=1)
    unit = m.cell / lengths[:, None]
    angles = [np.degrees(np.arccos(unit[i] @ unit[j])) for i, j in ((1, 2), (0, 2), (0, 1))]
    with netcdf_file(folder / "run.nc", "w") as file:
        file.Conventions, file.ConventionVersion = "AMBER", "1.0"
        for name, size in (("frame", None), ("spatial", 3), ("atom", 4)):
            file.createDimension(name, size)
        values = {
            "time": (since_ps + m.timestep_fs / time * np.arange(m.n_frames) * times, ()),
            "coordinates": (m.positions / length, ("atom", "spatial")),
            "velocities": (m.velocities * time / length / 20.455, ("atom", "spatial")),
            "cell_lengths": (np.broadcast_to(lengths / length, (m.n_frames, 3)), ("spatial",)),
            "cell_angles": (np.broadcast_to(angles, (m.n_frames, 3)), ("spatial",)),
        }
        for name, (array, shape) in values.items():
            variable = file.createVariable(name, "d" if name.startswith("cell") else "f", ("frame", *shape))
            if name == "velocities":
                variable.scale_factor = 20.455
            if units is not None:
                named = {"time": units[1], "velocities": "/".join(units), "cell_angles": "degree"}
                variable.units = named.get(name, units[0])
            for k in range(m.n_frames):
                variable[k] = array[k]
    return folder / "run.nc"


def traj(m: Motion, folder: Path, *, interval: int | None = 5) -> Path:
    """ASE's own trajectory with the description that its molecular dynamics writes."""
    from ase.io.trajectory import TrajectoryWriter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with TrajectoryWriter(folder / "run.traj", "w") as writer:
            if interval is not None:
                step = m.timestep_fs / interval * units.fs
                writer.set_description({"type": "molecular-dynamics", "timestep": step, "interval": interval})
            for k in range(m.n_frames):
                atoms = ase.Atoms(m.symbols, m.positions[k], cell=m.cell, pbc=True)
                atoms.set_velocities(m.velocities[k] / units.fs)
                writer.write(atoms)
    return folder / "run.traj"


def charmm_box(cell: np.ndarray) -> bytes:
    """Unit cell record of a symmetric matrix, as new CHARMM writes it."""
    xx, xy, yy, xz, yz, zz = cell[0, 0], cell[0, 1], cell[1, 1], cell[0, 2], cell[1, 2], cell[2, 2]
    return struct.pack("<6d", xx, xy, yy, xz, yz, zz)
