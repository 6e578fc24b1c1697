"""Draw small molecules at random, displace them as heat does it, and label them.

Chains and rings of two to four heavy atoms with the usual valences and any bond orders, hydrogen on what is
left, relaxed and displaced with the forces of GFN2-xTB. Born effective charges are the forces in a finite
electric field, ∂F_b/∂E_a, with PBEsol in Gaussian functions (PySCF). No formula of a test set is drawn.
`pack` puts such molecules, one each, into small cells as dense as crystals, for `make_labels.py`.
Needs RDKit, tblite and PySCF (`pip install rdkit tblite pyscf`); resumable, as many workers as cores.

    python make_molecules.py run --work WORK --avoid test.xyz thermal_test.xyz.xz
    python make_molecules.py collect --work WORK --output .
    python make_molecules.py pack --count 100 --output structures.xyz.xz --avoid test.xyz
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zlib import crc32

import ase.io
import numpy as np
from ase import Atoms, units
from ase.neighborlist import natural_cutoffs, neighbor_list
from ase.optimize import LBFGS
from make_structures import LOWEST_CM, harmonic_displacement, modes, write
from make_thermal_structures import LARGEST_ANG
from numpy.typing import NDArray
from packing import packed
from programs import locked
from rdkit import Chem, RDLogger
from rdkit.Chem import AllChem, rdMolDescriptors
from thermal_crystals import CRYSTALS

from bec_md.structure import Frame
from bec_md.structure.extxyz import iterate_frames, write_frames
from bec_md.structure.from_ase import as_frame

VALENCES = {"C": 4, "N": 3, "O": 2, "S": 2, "F": 1, "Cl": 1, "P": 3, "Si": 4, "B": 3, "Se": 2, "Br": 1}
VALENCES |= {"Ge": 4, "As": 3, "I": 1}
WEIGHTS = np.array([30, 14, 14, 9, 7, 6, 5, 5, 4, 4, 3, 2, 2, 2], dtype=float)
LIKED = """
FC#N FC#CF ClC#CCl C#CC#C C#CF C#CCl C#CBr O=C=S=O N#CN N#CO N#CS S=C=NF O=C=NF O=C=NCl S=C=NCl N#CP N#CB
S=C=[Se] S=C=C=C=S O=C=C=C=S [Se]=C=[Se] O=C=C=O S=C=C=O N#CC#CC#N N#CSC#N N#C[Se]C#N N#C[SiH3] N#C[GeH3]
O=C=N[SiH3] S=C=N[SiH3] S=C=NC O=C=NC N#CSC N#COC N#CC=O N#CC(=O)F O=C=NC=O O=C=NN=C=O N#CN=C=O N#CN=C=S
FC(F)=S ClC(Cl)=S FC(Cl)=O FC=S SC=S OC=S NC=S NC=O C=[N+]=[N-] N=[N+]=[N-] F[N+]#[C-] [C-]#[N+]O C#[N+][O-]
[C-]#[N+]C [O-][N+](=O)O [O-][N+](=O)F CS(=O)C FS(=O)(=O)F O=S(=O)=O FS(F)(F)F FP(F)(F)(F)F O=P(F)(F)F O=P
""".split()  # noqa: SIM905
"""Labelled first: multiple bonds in a row, and sulfur and phosphorus with more than their usual bonds."""
MOST_ISOMERS, LARGEST_ATOMS = 2, 9
TEST_EVERY = 6
FIELD = 0.002  # Hartree atomic units
BASIS, GRID = "def2-svpd", 1
SMALLEST_GAP_EV = 1.5
TEMPERATURES_K = (300, 600)
MARGIN_ANG = 12.0
"""Length of the cell beyond the molecule: more than any cutoff."""
DONE, STRUCTURE = "done.json", "molecule.xyz.xz"
LARGEST_PACKED_ATOMS = 7
REACH_ANG, REACH_HEAVY_ANG = 9.0, 11.0
"""Reach of the k-points; the longer one where there are heavier elements than fluorine."""


def random_smiles(rng: np.random.Generator) -> str:
    """Return a random tree, sometimes with a ring, of two to four heavy atoms."""
    n = int(rng.choice([2, 3, 4], p=[0.2, 0.5, 0.3]))
    molecule = Chem.RWMol()
    free: list[int] = []
    for symbol in rng.choice(list(VALENCES), size=n, p=WEIGHTS / WEIGHTS.sum()):
        molecule.AddAtom(Chem.Atom(str(symbol)))
        free.append(VALENCES[str(symbol)])
    orders = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}
    pairs = [(i, int(rng.integers(i))) for i in range(1, n)]
    if n > 2 and rng.random() < 0.1:
        pairs.append((n - 1, 0))
    for i, j in dict.fromkeys((i, j) for i, j in pairs if i != j):
        largest = min(free[i], free[j], 3)
        if largest < 1 or molecule.GetBondBetweenAtoms(i, j):
            return ""
        order = int(rng.integers(1, largest + 1))
        molecule.AddBond(i, j, orders[order])
        free[i] -= order
        free[j] -= order
    try:
        Chem.SanitizeMol(molecule)
    except Chem.MolSanitizeException:
        return ""
    return str(Chem.MolToSmiles(molecule))


def candidates() -> Iterator[str]:
    """Yield SMILES, each once, without end."""
    yield from LIKED
    seen = set(LIKED)
    rng = np.random.default_rng(1)
    while True:
        smiles = random_smiles(rng)
        if smiles and smiles not in seen:
            seen.add(smiles)
            yield smiles


def embedded(smiles: str, seed: int) -> Atoms:
    """Return a rough geometry."""
    molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
    if molecule.GetNumAtoms() > LARGEST_ATOMS or AllChem.EmbedMolecule(molecule, randomSeed=seed) != 0:
        raise RuntimeError("too large, or no geometry")
    symbols = [atom.GetSymbol() for atom in molecule.GetAtoms()]
    return Atoms(symbols, positions=molecule.GetConformer().GetPositions())


def bonds(atoms: Atoms) -> set[tuple[int, int]]:
    """Return pairs of bonded atoms."""
    i, j = neighbor_list("ij", atoms, natural_cutoffs(atoms, mult=1.25))
    return set(zip(i.tolist(), j.tolist(), strict=True))


def displaced(atoms: Atoms, seed: int, temperature_k: int) -> Atoms:
    """Relax with GFN2-xTB and displace as heat does it; the center at the origin."""
    from tblite.ase import TBLite

    atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
    before = bonds(atoms)
    if not LBFGS(atoms, logfile=None).run(fmax=0.02, steps=200) or bonds(atoms) != before:
        raise RuntimeError("falls apart")
    energy, vectors = modes(atoms)
    if energy[0] < -LOWEST_CM * units.invcm:
        raise RuntimeError("saddle point")
    rng = np.random.default_rng([seed, temperature_k])
    normal = rng.normal(size=len(energy))
    lowest_cm = LOWEST_CM
    while True:
        moved = harmonic_displacement(atoms, energy, vectors, temperature_k, normal, lowest_cm)
        if np.linalg.norm(moved, axis=1).max() < LARGEST_ANG:
            break
        lowest_cm *= 1.1
    positions = atoms.positions + moved
    return Atoms(atoms.symbols, positions=positions - positions.mean(axis=0))


def in_vacuum(molecule: Atoms) -> Atoms:
    """Put a molecule into a cell that no interaction spans."""
    side = round(float(np.ptp(molecule.positions, axis=0).max()) + MARGIN_ANG, 1)
    return Atoms(molecule.symbols, positions=molecule.positions + side / 2, cell=[side] * 3, pbc=True)


def forces(mean_field: Any, density: Any, field: NDArray[np.float64]) -> tuple[NDArray[np.float64], Any]:
    """Return forces (Hartree per Bohr) and density matrix of a molecule in a homogeneous field."""
    molecule = mean_field.mol
    with molecule.with_common_origin((0, 0, 0)):
        position = molecule.intor("int1e_r")
        moved = molecule.intor("int1e_irp").reshape(3, 3, molecule.nao, molecule.nao)
    mean_field.get_hcore = lambda *_: (
        type(mean_field).get_hcore(mean_field) + np.tensordot(field, position, 1)
    )
    mean_field.kernel(dm0=density)
    if not mean_field.converged:
        raise RuntimeError("not converged")
    density = mean_field.make_rdm1()
    out = -mean_field.nuc_grad_method().kernel() + np.outer(molecule.atom_charges(), field)
    moved = np.tensordot(field, moved, 1)  # the functions move with their atom
    for atom, (_, _, start, stop) in enumerate(molecule.aoslice_by_atom()):
        out[atom] += 2 * np.einsum("bij,ij->b", moved[:, :, start:stop], density[:, start:stop])
    return out, density


def born_effective_charges(atoms: Atoms) -> tuple[NDArray[np.float64], float]:
    """Return Z[i, a, b] = ∂F_ib/∂E_a (e) and the gap (eV)."""
    from pyscf import dft, gto

    molecule = gto.M(
        atom=list(zip(atoms.get_chemical_symbols(), atoms.positions - atoms.positions.mean(0), strict=True)),
        basis=BASIS,
        ecp={symbol: BASIS for symbol in set(atoms.symbols) if Atoms(symbol).numbers[0] > 36},
        verbose=0,
    )
    mean_field = dft.RKS(molecule, xc="GGA_X_PBE_SOL,GGA_C_PBE_SOL").density_fit()
    mean_field.grids.level = GRID
    mean_field.conv_tol, mean_field.conv_tol_grad = 1e-8, 1e-5
    _, density = forces(mean_field, None, np.zeros(3))
    occupied = molecule.nelectron // 2
    gap = float(np.diff(mean_field.mo_energy[occupied - 1 : occupied + 1])[0]) * units.Hartree
    if gap < SMALLEST_GAP_EV:
        raise RuntimeError(f"gap of {gap:.2f} eV")
    charges = []
    for field in FIELD * np.eye(3):
        forward, polarized = forces(mean_field, density, field)
        backward, _ = forces(mean_field, 2 * density - polarized, -field)
        charges.append((forward - backward) / (2 * FIELD))
    return np.stack(charges, axis=1), gap


def composition(formula: str) -> tuple[tuple[str, float], ...]:
    """Return the shares of the elements: the same for H2O2 and HO."""
    counts: dict[str, int] = {}
    for symbol, number in re.findall(r"([A-Z][a-z]?)(\d*)", formula):
        counts[symbol] = counts.get(symbol, 0) + int(number or 1)
    total = sum(counts.values())
    return tuple(sorted((symbol, round(n / total, 6)) for symbol, n in counts.items()))


@cache
def crystals(test: bool) -> set[tuple[tuple[str, float], ...]]:
    """Return the compositions of the listed crystals that are held back, or are learned."""
    listed = (crystal for crystal in CRYSTALS.values() if crystal.test == test)
    return {composition(crystal.build().get_chemical_formula()) for crystal in listed}


def is_test(formula: str) -> bool:
    """Whether a molecule is held back: one formula in six, unless a crystal of it is learned."""
    return crc32(formula.encode()) % TEST_EVERY == 0 and composition(formula) not in crystals(test=False)


def drawn(avoid: Iterable[Path]) -> Iterator[tuple[int, str, str]]:
    """Yield number, SMILES and formula of molecules that are in no test set, without end."""
    avoided = crystals(test=True) | {
        composition(frame.formula) for path in avoid for frame in iterate_frames(path)
    }
    isomers: dict[str, int] = {}
    for index, smiles in enumerate(candidates(), start=1):
        formula = rdMolDescriptors.CalcMolFormula(Chem.MolFromSmiles(smiles))
        isomers[formula] = isomers.get(formula, 0) + 1
        if isomers[formula] <= MOST_ISOMERS and composition(formula) not in avoided:
            yield index, smiles, formula


def temperature_k(index: int) -> int:
    """Return the temperature at which a molecule is displaced."""
    return TEMPERATURES_K[index % len(TEMPERATURES_K)]


def pack(arguments: argparse.Namespace) -> None:
    """Draw molecules, displace them and put one into each cell."""
    how = "in hydrogen-bonded chains packed at random" if arguments.chains else "packed at random"
    out: list[Atoms] = []
    for index, smiles, formula in drawn(arguments.avoid):
        if len(out) == arguments.count:
            break
        try:
            rough = embedded(smiles, index)
            if len(rough) > LARGEST_PACKED_ATOMS:
                continue
            molecule = displaced(rough, index, temperature_k(index))
            crystal = packed(molecule, np.random.default_rng(index), arguments.chains)
        except (RuntimeError, ValueError, ArithmeticError):
            continue
        crystal.info = {
            "name": f"{smiles}{'-chain' if arguments.chains else ''}_{temperature_k(index)}K_{index:02d}",
            "kind": "molecular_crystals",
            "chemistry": "molecular",
            "sampling": f"harmonic vibrations of GFN2-xTB at {temperature_k(index)} K, {how}",
            "seed": index,
            "total_charge": 0.0,
            "mesh_reach_ang": REACH_HEAVY_ANG if max(crystal.numbers) > 9 else REACH_ANG,
            "held_back": is_test(formula),
        }
        out.append(crystal)
        print(index, smiles, f"{crystal.get_volume() / len(crystal):.1f} Å³ per atom", flush=True)
    write(out, arguments.output)


def run(arguments: argparse.Namespace) -> None:
    """Draw and label until stopped; what has been drawn is never drawn again."""
    for index, smiles, formula in drawn(arguments.avoid):
        folder = arguments.work / f"{index:05d}"
        if (folder / DONE).exists():
            continue
        with locked(folder) as lock:
            if lock is None or (folder / DONE).exists():
                continue
            start = time.process_time()
            record: dict[str, Any] = {"smiles": smiles, "formula": formula, "seed": index}
            record["temperature_k"] = temperature_k(index)
            try:
                atoms = in_vacuum(displaced(embedded(smiles, index), index, record["temperature_k"]))
                charges, record["gap_ev"] = born_effective_charges(atoms)
            except (RuntimeError, ValueError, ArithmeticError) as error:
                record["failed"] = str(error)
            else:
                record["seconds"] = round(time.process_time() - start, 1)
                record["charges"] = charges.round(6).tolist()
                write([atoms], folder / STRUCTURE)
                print(index, smiles, f"{record['seconds']} s", flush=True)
            (folder / DONE).write_text(json.dumps(record) + "\n")


def collect(arguments: argparse.Namespace) -> None:
    """Write `molecules_train.xyz.xz` and, one formula in six, `molecules_test.xyz.xz`."""
    parts: dict[str, list[Frame]] = {"train": [], "test": []}
    for path in sorted(arguments.work.glob(f"*/{DONE}")):
        record = json.loads(path.read_text())
        if "charges" not in record:
            continue
        charges = np.array(record["charges"])
        info = {
            "name": f"{record['smiles']}_{record['temperature_k']}K",
            "code": f"PySCF {version('pyscf')}",
            "functional": "PBEsol",
            "level": "PBEsol PySCF",
            "basis": BASIS,
            "sum_rule_residual_e": round(float(np.abs(charges.sum(0)).max()), 6),
            "gap_ev": round(record["gap_ev"], 2),
            "sampling": f"harmonic vibrations of GFN2-xTB at {record['temperature_k']} K",
            "seed": record["seed"],
            "seconds": record["seconds"],
            "license": "CC0-1.0",
            "chemistry": "molecule",
        }
        frame = as_frame(ase.io.read(path.parent / STRUCTURE, format="extxyz"))
        part = "test" if is_test(record["formula"]) else "train"
        parts[part].append(replace(frame.with_labels(born_effective_charges=charges), info=info))
    for part, frames in parts.items():
        write_frames(arguments.output / f"molecules_{part}.xyz.xz", frames)
        hours = sum(frame.info["seconds"] for frame in frames) / 3600
        print(f"{part}: {len(frames)} molecules, {hours:.1f} core hours")


def main() -> None:
    """Draw and label, collect, or pack."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for name, function in (("run", run), ("collect", collect), ("pack", pack)):
        command = commands.add_parser(name, help=(function.__doc__ or "").splitlines()[0])
        command.set_defaults(function=function)
        if name == "pack":
            command.add_argument("--count", type=int, default=100)
            command.add_argument("--output", type=Path, required=True)
            command.add_argument("--chains", action="store_true", help="in hydrogen-bonded chains")
        else:
            command.add_argument("--work", type=Path, required=True)
        if name == "collect":
            command.add_argument("--output", type=Path, default=Path())
        else:
            command.add_argument("--avoid", type=Path, nargs="*", default=(), help="files of test structures")
    RDLogger.DisableLog("rdApp.*")
    arguments = parser.parse_args()
    arguments.function(arguments)


if __name__ == "__main__":
    main()
