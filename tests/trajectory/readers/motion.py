"""One harmonic motion with exact velocities, and how other programs would have written it.

The writers know nothing of the readers; every unit conversion is written out with constants of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

#: CODATA 2018.
BOHR = 0.529177210903  # Å
AUT = 0.024188843265857  # fs
#: √(amu Å²/eV) in fs.
ASE_TIME = 10.1805057


@dataclass
class Motion:
    """Na2Cl2 in a triclinic cell, each coordinate a cosine between 250 and 450 cm⁻¹."""

    n_frames: int = 30
    timestep_fs: float = 1.0
    symbols: tuple[str, ...] = ("Na", "Na", "Cl", "Cl")
    masses: tuple[float, ...] = (22.98976928, 22.98976928, 35.45, 35.45)
    cell: np.ndarray = field(
        default_factory=lambda: np.array([[9.0, 0.0, 0.0], [1.5, 8.5, 0.0], [-0.7, 0.9, 9.3]])
    )

    def __post_init__(self) -> None:
        random = np.random.default_rng(7)
        omega = random.uniform(0.047, 0.085, (4, 3))  # rad/fs
        speed = np.sqrt(8.31446e-7 * 300.0 / np.array(self.masses))[:, None]  # √(k_B T/m) in Å/fs
        phase = random.uniform(0.0, 2 * np.pi, (4, 3))
        time = self.timestep_fs * np.arange(self.n_frames)[:, None, None]
        rest = np.array([[0.05, 0.05, 0.05], [0.05, 0.4, 0.35], [0.4, 0.05, 0.06], [0.42, 0.38, 0.07]])
        amplitude = np.sqrt(2.0) * speed / omega
        self.positions = rest @ self.cell + amplitude * np.cos(omega * time + phase)
        self.velocities = -amplitude * omega * np.sin(omega * time + phase)

    @property
    def scaled(self) -> np.ndarray:
        return self.positions @ np.linalg.inv(self.cell)


def xyz(rows: list[list[str]], comments: list[str], name: str, folder: Path) -> Path:
    """Frames of an XYZ file from rows of all frames."""
    n = len(rows[0])
    text = "".join(f"{n}\n{c}\n" + "\n".join(r) + "\n" for r, c in zip(rows, comments, strict=True))
    path = folder / name
    path.write_text(text)
    return path


def rows_of(m: Motion, values: np.ndarray, form: str = "{:20.12f}") -> list[list[str]]:
    return [
        [f"  {s} " + " ".join(form.format(x) for x in row) for s, row in zip(m.symbols, frame, strict=True)]
        for frame in values
    ]


def cp2k(m: Motion, folder: Path) -> Path:
    """Positions in Å, velocities in bohr E_h/ħ, the cell in a third file."""
    comments = [f" i = {k:8d}, time = {k * m.timestep_fs:12.3f}, E = -1.0" for k in range(m.n_frames)]
    xyz(rows_of(m, m.velocities / BOHR * AUT), comments, "run-vel-1.xyz", folder)
    lines = ["#   Step   Time [fs]       Ax [Angstrom] …"]
    for k in range(m.n_frames):
        numbers = " ".join(f"{x:.10f}" for x in m.cell.ravel())
        lines.append(f"{k:8d} {k * m.timestep_fs:12.3f} {numbers} {abs(np.linalg.det(m.cell)):.6f}")
    (folder / "run-1.cell").write_text("\n".join(lines) + "\n")
    return xyz(rows_of(m, m.positions), comments, "run-pos-1.xyz", folder)


def ipi(m: Motion, folder: Path) -> Path:
    """Cell in atomic units in the comment, with the units of everything in braces."""
    a, b, c = np.linalg.norm(m.cell, axis=1) / BOHR
    unit = m.cell / np.linalg.norm(m.cell, axis=1)[:, None]
    angles = [np.degrees(np.arccos(unit[i] @ unit[j])) for i, j in ((1, 2), (0, 2), (0, 1))]
    head = f"# CELL(abcABC): {a:12.7f} {b:12.7f} {c:12.7f} " + " ".join(f"{x:12.7f}" for x in angles)
    comments = [f"{head}  Step: {10 * k:10d}  Bead: 0 {{}}{{}}  cell{{}}" for k in range(m.n_frames)]
    both = [c.format("velocities", "{m/s}", "{atomic_unit}") for c in comments]
    xyz(rows_of(m, m.velocities * 1e5), both, "run.vel_0.xyz", folder)
    both = [c.format("positions", "", "{atomic_unit}") for c in comments]  # atomic units without braces
    return xyz(rows_of(m, m.positions / BOHR), both, "run.pos_0.xyz", folder)


def dftb(m: Motion, folder: Path) -> Path:
    """Charge and velocity in Å/ps behind the position."""
    charge = np.ones((m.n_frames, 4, 1))
    values = np.concatenate([m.positions, charge, m.velocities * 1e3], axis=2)
    return xyz(rows_of(m, values), [f"MD iter: {k}" for k in range(m.n_frames)], "geo_end.xyz", folder)


def cpx(m: Motion, folder: Path) -> Path:
    """Three files in atomic units; the cell by columns."""
    for suffix, values in (
        ("pos", m.positions / BOHR),
        ("vel", m.velocities / BOHR * AUT),
        ("cel", np.broadcast_to(m.cell.T / BOHR, (m.n_frames, 3, 3))),
    ):
        lines = []
        for k, frame in enumerate(values):
            lines.append(f"{k * 10:10d} {k * m.timestep_fs / 1000:14.8f}")
            lines += [" ".join(f"{x:24.14E}" for x in row) for row in frame]
        (folder / f"cp.{suffix}").write_text("\n".join(lines) + "\n")
    return folder / "cp.pos"


def pwx(m: Motion, folder: Path, *, cells: bool = False) -> Path:
    """Output of pw.x: alat, axes, then positions in crystal coordinates after every step.

    With `cells` that of vc-md: the cell in every step, and times, of five decimals, alone.
    """
    alat = 10.0
    lines = ["     Program PWSCF v.7.2 starts", f"     lattice parameter (alat)  =   {alat:10.4f}  a.u."]
    lines += [
        f"     number of atoms/cell      =  {4:10d}",
        "     atomic species   valence    mass     pseudopotential",
        "        Na             1.00    22.98977     Na( 1.00)",
        "        Cl             7.00    35.45     Cl( 1.00)",
        "",
        "     crystal axes: (cart. coord. in units of alat)",
    ]
    for n, vector in enumerate(m.cell / BOHR / alat, start=1):
        lines.append(f"               a({n}) = ( " + " ".join(f"{x:11.8f}" for x in vector) + " )  ")
    if not cells:
        lines.append(
            f"     Time step             =  {m.timestep_fs / AUT / 2:12.6f} a.u.,  1.0000 femto-seconds"
        )
    for k, frame in enumerate(m.scaled):
        if cells:
            time = k * m.timestep_fs / AUT * 2.42e-5
            lines.append(f"     Entering Dynamics;  it = {k + 1:5d}   time = {time:8.5f} pico-seconds")
            rows = [" ".join(f"{x:14.9f}" for x in row) for row in m.cell / BOHR / alat]
            lines += ["", f"CELL_PARAMETERS (alat= {alat:11.8f})", *rows]
        else:
            lines.append(f"     Entering Dynamics:    iteration = {k + 1:5d}")
            lines.append("        time      =  0.0010 pico-seconds")
        lines.append("\nATOMIC_POSITIONS (crystal)")
        lines += [
            s + " " + " ".join(f"{x:16.10f}" for x in row) for s, row in zip(m.symbols, frame, strict=True)
        ]
    (folder / "pw.out").write_text("\n".join(lines) + "\n\n")
    return folder / "pw.out"


def aims(m: Motion, folder: Path) -> Path:
    """Output of FHI-aims: each structure after its step, the first one also as the initial conditions."""
    rule = "-" * 60
    lines = [rule, "          Invoking FHI-aims ...", "", "  | Number of species                 :        2"]
    for name, mass in (("Na_tight", 22.98976928), ("Cl1", 35.45)):
        lines.append(f"  Reading configuration options for species {name}        .")
        lines.append(f"  | Found atomic mass :     {mass:.8f}      amu")
    lines += ["  Input geometry:", "  | Unit cell: "]
    lines += ["  | " + " ".join(f"{x:18.8f}" for x in row) for row in m.cell]
    lines += ["  | Number of atoms                   :        4"]
    names = {"Na": "Na_tight", "Cl": "Cl1"}
    for number in (-1, *range(m.n_frames)):
        k = max(number, 0)
        title = "Initial conditions for" if number < 0 else "Advancing structure using"
        last = "Final atomic" if number == m.n_frames - 1 else "Atomic"
        lines += [
            rule,
            f"  {title} Born-Oppenheimer Molecular Dynamics:",
            *(["  Complete information for previous time-step:"] if number >= 0 else []),
            f"  | Time step number          : {number:8d}",
            f"  | Simulation time           :  {k * m.timestep_fs / 1000:30.15E} ps",
            "  | Temperature (nuclei)      :           0.300000000000000E+03 K",
            rule,
            f"  {last} structure (and velocities) as used in the preceding time step: ",
            " " * 22 + "x [A]             y [A]             z [A]       Atom",
        ]
        for name, x, v in zip(m.symbols, m.positions[k], m.velocities[k], strict=True):
            lines.append("   atom       " + "".join(f"  {value:16.8f}" for value in x) + f"  {names[name]}")
            lines.append("     velocity " + "".join(f"  {1000 * value:18.8f}" for value in v))
        lines.append(rule)
    (folder / "aims.out").write_text("\n".join(lines) + "\n")
    return folder / "aims.out"


def castep(m: Motion, folder: Path) -> Path:
    """SEED.md in atomic units."""
    lines = [" BEGIN header", "  made up", " END header", ""]
    for k in range(m.n_frames):
        lines.append(f"  {k * m.timestep_fs / AUT:24.16E}")
        kinetic = 0.5 * 1822.888486 * np.array(m.masses) @ ((m.velocities[k] / BOHR * AUT) ** 2).sum(axis=1)
        lines.append(f"  -1.0 -1.0 {kinetic:24.16E}   <-- E")
        lines += [" ".join(f"{x:24.16E}" for x in row) + "  <-- h" for row in m.cell / BOHR]
        for mark, values in (("R", m.positions / BOHR), ("V", m.velocities / BOHR * AUT)):
            for i, row in enumerate(values[k]):
                number = 1 + m.symbols[:i].count(m.symbols[i])
                numbers = " ".join(f"{x:24.16E}" for x in row)
                lines.append(f" {m.symbols[i]} {number:4d} {numbers}  <-- {mark}")
        lines.append("")
    (folder / "run.md").write_text("\n".join(lines) + "\n")
    return folder / "run.md"


def dlpoly(m: Motion, folder: Path) -> Path:
    """HISTORY with velocities, atoms in another order in every frame."""
    lines = ["made up", "1 3 4"]
    for k in range(m.n_frames):
        lines.append(
            f"timestep {k:9d} {4:9d} 1 3 {m.timestep_fs / 1e3:12.6f} {k * m.timestep_fs / 1e3:14.6f}"
        )
        lines += [" ".join(f"{x:18.10f}" for x in row) for row in m.cell]
        for i in np.roll(np.arange(4), k):
            lines.append(f"{m.symbols[i]:8s} {i + 1:9d} {m.masses[i]:12.6f} 0.0")
            lines += [" ".join(f"{x:20.12f}" for x in v[k, i]) for v in (m.positions, m.velocities * 1e3)]
    (folder / "HISTORY").write_text("\n".join(lines) + "\n")
    return folder / "HISTORY"


def header(m: Motion, elements: str = "Na Cl", scale: float = 1.0) -> list[str]:
    """Header of XDATCAR and POSCAR."""
    vectors = [" ".join(f"{x:14.9f}" for x in row) for row in m.cell / scale]
    return ["made up", f"  {scale}", *vectors, *([f"  {elements}"] if elements else []), "  2  2"]


def row12(row: np.ndarray) -> str:
    """Three numbers as VASP's format 3(1X,F11.8) leaves them where they are negative."""
    return (
        f"{row[0]:12.8f}{row[1]:11.8f}{row[2]:11.8f}"
        if (row < 0).all()
        else " " + " ".join(f"{x:11.8f}" for x in row)
    )


def xdatcar(
    m: Motion,
    folder: Path,
    *,
    style: str = "vasp6",
    elements: str = "Na Cl",
    shift: float = 0.0,
    scale: float = 1.0,
) -> Path:
    """XDATCAR: counted (vasp6), with blank lines (vasp5.2), or with repeated headers (npt, pymatgen)."""
    lines = header(m, elements, scale)
    for k, frame in enumerate(m.scaled + shift):
        if k and style in ("npt", "pymatgen"):
            lines += header(m, elements, scale)
        lines.append("" if style == "vasp5.2" else f"Direct configuration= {k + 1:5d}")
        label = m.symbols if style == "pymatgen" else [""] * 4
        lines += [f"{row12(row)} {s}" for s, row in zip(label, frame, strict=True)]
    (folder / "XDATCAR").write_text("\n".join(lines) + "\n")
    return folder / "XDATCAR"


def structure(m: Motion, frame: np.ndarray, name: str = "") -> str:
    vectors = "".join("<v>" + " ".join(f"{x:.10f}" for x in row) + "</v>" for row in m.cell)
    rows = "".join("<v>" + " ".join(f"{x:.10f}" for x in row) + "</v>" for row in frame)
    return (
        f'<structure{name}><crystal><varray name="basis">{vectors}</varray></crystal>'
        f'<varray name="positions">{rows}</varray></structure>\n'
    )


def vasprun(m: Motion, folder: Path, *, learned: bool = True) -> Path:
    """vasprun.xml; with `learned`, two of three steps are those of a force field."""
    atoms = "".join(f"<rc><c>{s:2s}</c><c>1</c></rc>" for s in m.symbols)
    text = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling>\n<incar><i type="int" name="IBRION">0</i>'
    text += (
        f'<i name="POTIM">{m.timestep_fs}</i></incar>\n<atominfo><atoms>4</atoms><array name="atoms"><set>'
    )
    text += (
        atoms
        + '</set></array><array name="atomtypes"><set><rc><c>2</c><c>Na</c><c>22.99</c></rc>'
        + "<rc><c>2</c><c>Cl</c><c>35.45</c><c>7.0</c><c>PAW</c></rc></set></array></atominfo>\n"
    )
    text += structure(m, m.scaled[0], ' name="initialpos"')
    for k, frame in enumerate(m.scaled):
        inside = structure(m, frame) + '<varray name="forces"><v>0 0 0</v></varray>'
        text += inside if learned and k % 3 else f"<calculation>{inside}</calculation>\n"
    text += structure(m, m.scaled[-1], ' name="finalpos"') + "</modeling>\n"
    (folder / "vasprun.xml").write_text(text)
    return folder / "vasprun.xml"


def outcar(
    m: Motion, folder: Path, *, every: int = 1, learned: bool = True, mass: str = "22.99 35.45"
) -> Path:
    """OUTCAR of a run; with `learned`, steps of a force field, one of which DFT prints again."""
    lines = [" vasp.6.4.3 19Mar24 complex", " INCAR:", "   IBRION = 0", f"   POTIM = {m.timestep_fs}", ""]
    for element, weight in (("Na", 22.990), ("Cl", 35.453)):
        lines += [f" POTCAR:    PAW_PBE {element} 06Sep2000", f"   VRHFIN ={element}: s1p0"]
        lines.append(f"   POMASS = {weight:8.3f}; ZVAL   =    1.000    mass and valenz")
    lines += ["   number of dos      NEDOS =    301   number of ions     NIONS =      4"]
    lines += [
        "   ions per type =               2   2",
        f"   POTIM  ={m.timestep_fs:8.4f}    time-step for ionic-motion",
    ]
    lines += [
        "   IBRION =      0    ionic relax: 0-MD 1-quasi-New 2-CG",
        "  Mass of Ions in am",
        f"   POMASS = {mass}",
    ]
    table = ["", " POSITION                                       TOTAL-FORCE (eV/Angst)", " " + 83 * "-"]
    for k, frame in enumerate(m.positions):
        by_force_field = learned and k % 3
        kind = "Ionic step" if by_force_field else "Iteration"
        lines.append(f"{38 * '-'} {kind} {1 + k * every:6d}{'' if by_force_field else '(   1)'}  {38 * '-'}")
        lines += ["      direct lattice vectors                 reciprocal lattice vectors"]
        lines += ["    " + "".join(f"{x:13.9f}" for x in row) + "     0.1  0.1  0.1" for row in m.cell]
        rows = ["".join(f"{x:13.5f}" for x in [*row, 0.0, 0.0, -0.1]) for row in frame]
        printed = [*table, *rows, " " + 83 * "-"]
        lines += printed + (printed if learned and k % 6 == 3 else [])
    (folder / "OUTCAR").write_text("\n".join(lines) + "\n")
    return folder / "OUTCAR"


def vaspout(m: Motion, folder: Path) -> Path:
    """vaspout.h5 with velocities in Å/fs."""
    import h5py

    with h5py.File(folder / "vaspout.h5", "w") as file:
        group = file.create_group("intermediate/ion_dynamics")
        group["position_ions"] = m.scaled
        group["lattice_vectors"] = np.broadcast_to(m.cell, (m.n_frames, 3, 3))
        group["ion_velocities"] = m.velocities
        file["results/positions/ion_types"] = np.array([b"Na_pv", b"Cl"])
        file["results/positions/number_ion_types"] = np.array([2, 2])
        file["results/positions/scale"] = 1.0
        file["input/incar/POTIM"], file["input/incar/IBRION"] = m.timestep_fs, 0
    return folder / "vaspout.h5"


def h5md(m: Motion, folder: Path, *, enum: bool = True) -> Path:
    """H5MD in nm and ps with species of its own and a box that is stored per frame."""
    import h5py

    with h5py.File(folder / "run.h5", "w") as file:
        file.create_group("h5md").attrs["version"] = np.array([1, 1])
        group = file.create_group("particles/all")
        group.create_group("box").attrs["boundary"] = np.array([b"periodic"] * 3)
        for name, values, unit in (
            ("position", m.positions / 10, b"nm"),
            ("velocity", m.velocities * 100, b"nm ps-1"),
            ("box/edges", np.broadcast_to(m.cell / 10, (m.n_frames, 3, 3)), b"nm"),
        ):
            element = group.create_group(name)
            element.create_dataset("value", data=values, chunks=(5, *values.shape[1:])).attrs["unit"] = unit
            element["step"] = np.arange(m.n_frames)
            element["time"] = m.timestep_fs / 1e3 * np.arange(m.n_frames)
            element["time"].attrs["unit"] = b"ps"
        kinds = np.array([0, 0, 1, 1], dtype=np.int32)
        kind = h5py.enum_dtype({"Na": 0, "Cl": 1}, basetype=np.int32)
        group.create_dataset("species", data=kinds if enum else kinds + 1, dtype=kind if enum else None)
        group["mass"] = np.array(m.masses)
    return folder / "run.h5"


def abinit(m: Motion, folder: Path, *, classic: bool = True, counted: bool = False) -> Path:
    """HIST.nc in atomic units, as classic NetCDF or as HDF5; `counted`, as ionmov 6 has it, of steps."""
    values = {
        "xred": m.scaled,
        "rprimd": np.broadcast_to(m.cell / BOHR, (m.n_frames, 3, 3)),
        "vel": m.velocities / BOHR * AUT,
        "mdtime": 1.0 + np.arange(m.n_frames) if counted else m.timestep_fs / AUT * np.arange(m.n_frames),
    }
    fixed = {
        "typat": np.array([2.0, 2.0, 1.0, 1.0]),
        "znucl": np.array([17.0, 11.0]),
        "amu": np.array([35.45, 22.98976928]),
        "dtion": np.array([m.timestep_fs / AUT]),
    }
    path = folder / "runo_HIST.nc"
    if not classic:
        import h5py

        with h5py.File(path, "w") as file:
            for name, array in (values | fixed).items():
                file[name] = array
        return path
    from scipy.io import netcdf_file

    with netcdf_file(path, "w") as file:
        for name, size in (("time", None), ("natom", 4), ("xyz", 3), ("ntypat", 2), ("one", 1)):
            file.createDimension(name, size)
        for name, array in fixed.items():
            dimension = {4: "natom", 2: "ntypat", 1: "one"}[len(array)]
            file.createVariable(name, "d", (dimension,))[:] = array
        shapes = {"xred": ("natom", "xyz"), "rprimd": ("xyz", "xyz"), "vel": ("natom", "xyz"), "mdtime": ()}
        for name, shape in shapes.items():
            variable = file.createVariable(name, "d", ("time", *shape))
            for k in range(m.n_frames):
                variable[k] = values[name][k]
    return path


def dump_yaml(m: Motion, folder: Path) -> Path:
    """LAMMPS dump yaml in metal units of a triclinic box."""
    (ax, _, _), (xy, by, _), (xz, yz, cz) = m.cell
    low = (min(0.0, xy, xz, xy + xz), min(0.0, yz), 0.0)
    high = (ax + max(0.0, xy, xz, xy + xz), by + max(0.0, yz), cz)
    lines = []
    for k in range(m.n_frames):
        lines += [
            "---",
            "creator: LAMMPS",
            f"timestep: {k}",
            "units: metal",
            f"time: {k * m.timestep_fs / 1e3}",
        ]
        lines += ["natoms: 4", "boundary: [ p, p, p, p, p, p, ]", "thermo:", "  - keywords: [ Step, Temp, ]"]
        lines += [f"  - data: [ {k}, 300.0, ]", "box:"]
        lines += [f"  - [ {lo:.12f}, {hi:.12f} ]" for lo, hi in zip(low, high, strict=True)]
        lines += [f"  - [ {xy}, {xz}, {yz} ]", "keywords: [ id, type, x, y, z, vx, vy, vz, ]", "data:"]
        for i in reversed(range(4)):
            row = [*m.positions[k, i], *m.velocities[k, i] * 1e3]
            lines.append(f"  - [ {i + 1} , {1 + i // 2} , " + " , ".join(f"{x:.12f}" for x in row) + " , ]")
        lines.append("...")
    (folder / "dump.yaml").write_text("\n".join(lines) + "\n")
    return folder / "dump.yaml"


def dump_cfg(m: Motion, folder: Path) -> Path:
    """LAMMPS dump cfg: a file per snapshot, with ids and velocities in metal units."""
    for k in range(m.n_frames):
        lines = ["Number of particles = 4", "A = 1 Angstrom (basic length-scale)"]
        lines += [f"H0({i + 1},{j + 1}) = {m.cell[i, j]:.12f} A" for i in range(3) for j in range(3)]
        names = ("id", "vx", "vy", "vz")
        lines += [".NO_VELOCITY.", "entry_count = 7", *(f"auxiliary[{n}] = {x}" for n, x in enumerate(names))]
        for i in (2, 0, 3, 1):
            lines += [f"{m.masses[i]:.6f}", m.symbols[i]]
            values = [*m.scaled[k, i], i + 1, *m.velocities[k, i] * 1e3]
            lines.append(" ".join(f"{x:.12f}" for x in values))
        (folder / f"run.{k * 5}.cfg").write_text("\n".join(lines) + "\n")
    return folder / "run.0.cfg"


def gro(m: Motion, folder: Path, *, decimals: int = 6) -> Path:
    """GROMACS' .gro with more digits than usual, as trjconv -ndec writes it."""
    width = decimals + 5
    lines = []
    for k in range(m.n_frames):
        lines += [f"made up t= {k * m.timestep_fs / 1e3:9.5f} step= {2 * k}", "4"]
        for i, name in enumerate(m.symbols):
            row = "".join(f"{x:{width}.{decimals}f}" for x in m.positions[k, i] / 10)
            row += "".join(f"{x:{width}.{decimals + 1}f}" for x in m.velocities[k, i] * 100)
            lines.append(f"{i + 1:5d}{'ION':5s}{name.upper():>5s}{i + 1:5d}{row}")
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = m.cell / 10
        lines.append(" ".join(f"{x:.6f}" for x in (ax, by, cz, ay, az, bx, bz, cx, cy)))
    (folder / "run.gro").write_text("\n".join(lines) + "\n")
    return folder / "run.gro"
