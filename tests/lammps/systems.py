"""Structures as LAMMPS commands, and the reference that the plugin is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.spacegroup import crystal
from numpy.typing import NDArray

from bec_md.network.graph import build_graph
from bec_md.network.model_file import load_network

Array = NDArray[np.float64]
TYPES = ("Si", "O", "H")
MASSES = {"Si": 28.0855, "O": 15.999, "H": 1.008}


def quartz(repeat: tuple[int, int, int] = (1, 1, 1), rattle_ang: float = 0.1) -> Atoms:
    """α-quartz with displaced atoms; the smallest cell has 9 atoms and is thinner than the cutoff."""
    atoms = crystal(
        ["Si", "O"],
        basis=[(0.4697, 0, 2 / 3), (0.4135, 0.2669, 0.7858)],
        spacegroup=154,
        cellpar=[4.9134, 4.9134, 5.4052, 90, 90, 120],
    ).repeat(repeat)
    atoms = Atoms(atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=True)
    atoms.rattle(rattle_ang, seed=1)
    return atoms


def pair_of_atoms() -> Atoms:
    """Two atoms in a cell much smaller than the cutoff: each of them is its own neighbor many times."""
    return Atoms("SiO", positions=[[0.1, 0.0, 0.2], [1.3, 1.5, 1.1]], cell=[2.6, 2.9, 2.7], pbc=True)


def skewed() -> Atoms:
    """A triclinic cell with all three tilts."""
    atoms = quartz()
    cell = [[5.0, 0.0, 0.0], [-2.1, 4.6, 0.0], [1.7, -1.3, 5.2]]
    atoms.set_cell(cell, scale_atoms=True)
    return atoms


def slab() -> Atoms:
    """Periodic in the plane only."""
    atoms = quartz((2, 1, 1))
    atoms.pbc = (True, True, False)
    atoms.center(vacuum=1.0, axis=2)
    return atoms


def cluster() -> Atoms:
    """Not periodic at all."""
    atoms = quartz((1, 1, 1))
    return Atoms(atoms.numbers, positions=atoms.positions + 20.0, cell=[60.0] * 3, pbc=False)


def water(n: int = 2) -> Atoms:
    """n³ water molecules on a loose grid, turned at random."""
    random = np.random.default_rng(5)
    angle = np.deg2rad(109.47)
    shape = np.array([[0, 0, 0], [1.0, 0, 0], [np.cos(angle), np.sin(angle), 0]])
    positions = []
    for index in np.ndindex(n, n, n):
        turn = np.linalg.qr(random.normal(size=(3, 3)))[0]
        positions.append(shape @ turn + 3.2 * np.array(index) + 1.0)
    return Atoms("OHH" * n**3, positions=np.concatenate(positions), cell=[3.2 * n] * 3, pbc=True)


def commands(atoms: Atoms, types: tuple[str, ...] = TYPES, units: str = "metal") -> str:
    """Box, atoms, masses; no interactions."""
    c = atoms.cell.array
    assert np.allclose([c[0, 1], c[0, 2], c[1, 2]], 0.0)  # as LAMMPS wants its boxes
    boundary = " ".join("p" if p else "f" for p in atoms.pbc)
    edges = (0, c[0, 0], 0, c[1, 1], 0, c[2, 2], c[1, 0], c[2, 0], c[2, 1])
    box = " ".join(f"{edge:.16g}" for edge in edges)
    lines = [
        f"units {units}",
        "atom_style atomic",
        "atom_modify map yes",
        f"boundary {boundary}",
        "box tilt large",
        f"region box prism {box} units box",
        f"create_box {len(types)} box",
        *(f"mass {t + 1} {MASSES.get(symbol, 1.0)}" for t, symbol in enumerate(types)),
    ]
    wrapped = atoms.copy()
    wrapped.wrap(eps=0.0)  # LAMMPS ignores atoms outside of the box
    for symbol, (x, y, z) in zip(atoms.symbols, wrapped.positions, strict=True):
        lines.append(f"create_atoms {types.index(symbol) + 1} single {x:.16g} {y:.16g} {z:.16g} units box")
    return "\n".join(lines) + "\n"


def read_data(atoms: Atoms, path: Path, types: tuple[str, ...] = TYPES) -> str:
    """The same through a data file: on many ranks one command instead of one for each atom."""
    wrapped = atoms.copy()
    wrapped.wrap(eps=0.0)
    c = atoms.cell.array
    lines = ["test", "", f"{len(atoms)} atoms", f"{len(types)} atom types", ""]
    lines += [f"0 {c[a, a]:.16g} {axis}lo {axis}hi" for a, axis in enumerate("xyz")]
    lines += [f"{c[1, 0]:.16g} {c[2, 0]:.16g} {c[2, 1]:.16g} xy xz yz", "", "Masses", ""]
    lines += [f"{t + 1} {MASSES[symbol]}" for t, symbol in enumerate(types)]
    lines += ["", "Atoms # atomic", ""]
    for i, (symbol, (x, y, z)) in enumerate(zip(atoms.symbols, wrapped.positions, strict=True)):
        lines.append(f"{i + 1} {types.index(symbol) + 1} {x:.16g} {y:.16g} {z:.16g}")
    path.write_text("\n".join(lines) + "\n")
    boundary = " ".join("p" if p else "f" for p in atoms.pbc)
    return (
        f"units metal\natom_style atomic\natom_modify map yes\nboundary {boundary}\nread_data {path.name}\n"
    )


def no_forces(cutoff_ang: float = 3.0) -> str:
    """A pair style that does nothing."""
    return f"pair_style zero {cutoff_ang}\npair_coeff * *\n"


def soft_forces() -> str:
    """A hot fluid: the cutoff of four diameters leaves no step in the forces that would heat it."""
    return "pair_style lj/cut 6.0\npair_coeff * * 0.2 1.45\npair_modify shift yes\n"


def reference(
    path: Path, atoms: Atoms, level: int = 0, total_charge: float = 0.0, sum_rule: bool = True
) -> Array:
    """Z* by PyTorch and e3nn in double precision, (N, 3, 3)."""
    network = load_network(path).double()
    atoms = atoms.copy()
    atoms.info["total_charge"] = total_charge
    graph = build_graph([atoms], network.config.cutoff_ang, dtype=torch.float64, level=level)
    with torch.no_grad():
        if sum_rule:
            return np.asarray(network(graph)["charges"].mean(dim=1))
        # the sum rule subtracts the same from every atom: choosing Q = Σ raw undoes it only for scalars,
        # so it is switched off where it is applied
        import bec_md.network.readouts.charges as readout

        original = readout.impose_sum_rule
        readout.impose_sum_rule = lambda members, _graph: members
        try:
            return np.asarray(network(graph)["charges"].mean(dim=1))
        finally:
            readout.impose_sum_rule = original


def per_atom(lmp: Any, name: str) -> Array:
    """Per-atom array of a fix, or an atom property, ordered by atom ID."""
    n = lmp.extract_global("nlocal")
    order = np.argsort(np.asarray(lmp.numpy.extract_atom("id"))[:n])
    values = lmp.numpy.extract_atom(name) if name in ("x", "v", "f") else lmp.numpy.extract_fix(name, 1, 2)
    return np.array(values)[:n][order]


def charges(lmp: Any, fix_id: str = "bec") -> Array:
    """Tensors of the fix, (N, 3, 3), ordered by atom ID."""
    return per_atom(lmp, fix_id).reshape(-1, 3, 3)


def vector(lmp: Any, fix_id: str = "bec", size: int = 6) -> Array:
    """Global vector of the fix: J and ∫J dt; of models of a polarization (size 10) P and the work."""
    return np.array([lmp.extract_fix(fix_id, 0, 1, i) for i in range(size)])
