"""Equilibrate a structure, then run energy-conserving replicas and record trajectory and current of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from bec_md import atomic
from bec_md.dynamics.calculators import require_forces
from bec_md.dynamics.options import DynamicsOptions
from bec_md.dynamics.phases import Phases
from bec_md.dynamics.replica import Replica, ReplicaRuns, is_calculator, made
from bec_md.errors import UsageError
from bec_md.files import read_text
from bec_md.interruption import held
from bec_md.processes import Team, require_workers
from bec_md.structure.extxyz import frame_text
from bec_md.structure.from_ase import as_frame

Progress = Callable[[int, int], None]
#: Forces of one potential differ by less than this share between machines; where they are compared.
_SAME_FORCES, _OUT_OF_PLACE_ANG = 2e-3, 0.05


@dataclass(frozen=True)
class DynamicsResult:
    """What `run_dynamics` has done.

    Parameters
    ----------
    replicas
        The runs.
    cell_ang
        (3, 3) cell of all of them, Å.
    folder
        Where their files are.
    """

    replicas: tuple[Replica, ...]
    cell_ang: list[list[float]]
    folder: Path

    @property
    def currents(self) -> list[Path]:
        """Current files, to be given to a spectrum together."""
        return [self.folder / replica.current for replica in self.replicas]


def run_dynamics(
    structure: Atoms,
    calculator: Any,
    options: DynamicsOptions,
    output: str | Path,
    *,
    overwrite: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
    **recorded: Any,
) -> DynamicsResult:
    """Run replicas of a structure and record the current of each.

    With ``relax_cell`` a run at zero pressure comes first (Martyna, Tobias and Klein 1994), whose mean cell
    is that of all replicas. Every replica is equilibrated by a thermostat (Langevin), then has new velocities
    from the Maxwell–Boltzmann distribution and conserves its energy (velocity Verlet): no friction broadens
    the bands. It depends on the seed and its number alone, wherever it runs. A run that was stopped goes on
    with the replicas that are not complete.

    Parameters
    ----------
    structure
        Crystal, glass or liquid in its periodic cell.
    calculator
        ASE calculator with energy and forces (stress for ``relax_cell``), or a function without arguments
        that makes one; with several `workers` the latter.
    options
        Temperature, times and sizes.
    output
        Prefix: writes ``PREFIX-1.xyz`` (extended XYZ with momenta), ``PREFIX-1_current.h5``, … and
        ``PREFIX_md.json``.
    overwrite
        Start over even if files of this name exist.
    workers
        Processes that run replicas side by side.
    progress
        Called with (steps done, steps in total).
    **recorded
        Of `bec_md.current.CurrentOptions`: ``model``, ``charges``, ….

    Returns
    -------
    DynamicsResult
        Files, temperatures (K) and drifts of the replicas.

    Raises
    ------
    UsageError
        If files of this name belong to a run with other settings or are being written by another process, or
        workers cannot make the calculator.
    DataError
        If a run explodes.
    """
    options.check()
    require_workers(workers)
    options = options.resolved(structure)
    run = _Run(
        options.supercell(structure), calculator, options, Path(output).expanduser(), progress, recorded
    )
    with held(), atomic.only_writer(lock_of(run.prefix), run.prefix.name):
        run.begin(overwrite)
        if run.state["start"] is None:
            run.find_start()
        run.replicas(workers)
    replicas = tuple(Replica(**item) for item in run.state["replicas"][: options.replicas])
    return DynamicsResult(replicas, run.state["start"]["cell"], run.prefix.parent)


def lock_of(prefix: Path) -> Path:
    """Return the file that keeps a second process from writing under the same prefix."""
    return prefix.with_name(f"{prefix.name}_md.lock")


class _Run:
    """A run in progress: the atoms, and what is done (`state`, kept in ``PREFIX_md.json``)."""

    def __init__(
        self,
        atoms: Any,
        calculator: Any,
        options: DynamicsOptions,
        prefix: Path,
        progress: Progress | None,
        recorded: dict[str, Any],
    ) -> None:
        self.atoms, self.calculator, self.options, self.prefix = atoms, calculator, options, prefix
        self.recorded, self._made = recorded, None
        self._progress: Progress = progress or (lambda done, total: None)
        self.state: dict[str, Any] = {
            "settings": {
                **asdict(options),
                "formula": str(atoms.symbols),
                "structure": _hash(frame_text(as_frame(atoms)) + _constraints_of(atoms)),
                "calculator": _name_of(calculator),
                "recorded": {
                    name: str(getattr(value, "fingerprint", value))
                    for name, value in sorted(recorded.items())
                },
            },
            "start": None,
            "replicas": [],
        }

    @property
    def _file(self) -> Path:
        return self.prefix.with_name(f"{self.prefix.name}_md.json")

    def begin(self, overwrite: bool) -> None:
        """Take up what an earlier run of the same settings has left."""
        self.state["probe"] = self._probe()
        if overwrite:
            return
        if not self._file.exists():
            self._require_free()
            return
        stored = json.loads(read_text(self._file))
        wanted = json.loads(json.dumps(self.state["settings"]))
        known = stored.get("settings") or dict.fromkeys(wanted)
        wanted.pop("replicas")  # each depends on the seed and its number alone: there may be more or fewer
        differing = sorted(name for name in wanted if known.get(name, wanted[name]) != wanted[name])
        if not differing and not _same(self.state["probe"], stored.get("probe")):
            differing = ["potential"]
        if differing:
            raise UsageError(
                f"{self._file.name} belongs to a run with other {', '.join(differing)}",
                "its replicas and these would be averaged as one system",
                "choose another output, or overwrite it",
            )
        there = [item for item in stored["replicas"] if self._file.with_name(item["current"]).is_file()]
        self.state = stored | self.state | {"start": stored["start"], "replicas": there}
        if self.state["start"] is not None:
            self.atoms.set_cell(np.array(self.state["start"]["cell"]))
            self.atoms.set_positions(np.array(self.state["start"]["positions"]))

    def _require_free(self) -> None:
        for number in range(1, self.options.replicas + 1):
            found = self.prefix.with_name(f"{self.prefix.name}-{number}.xyz")
            if found.exists():
                raise UsageError(
                    f"{found.name} exists already, and no {self._file.name} that says what it is of",
                    "a replica would be written over it",
                    "choose another output, or overwrite it",
                )

    def _probe(self) -> list[float]:
        """Projections of the forces on atoms out of place, eV/Å: they tell one potential from another."""
        atoms, random = self.atoms.copy(), np.random.default_rng(0)
        atoms.set_constraint()
        atoms.positions += _OUT_OF_PLACE_ANG * random.normal(size=(len(atoms), 3))
        atoms.calc = self._made = made(self.calculator)
        forces = atoms.get_forces().ravel()
        found: list[float] = (random.normal(size=(8, len(forces))) @ forces / len(forces) ** 0.5).tolist()
        return found

    def find_start(self) -> None:
        """Bring the cell to zero pressure if that is asked for: all replicas begin there."""
        if self.options.relax_cell:
            require_forces(self.atoms, self._made, stress=True)
            self.atoms.calc = self._made
            Phases(self.atoms, self.options, 0, self._told).relax_cell()
            self.atoms.calc = None
        cell, positions = self.atoms.cell.array.tolist(), self.atoms.positions.tolist()
        self.state["start"] = {"cell": cell, "positions": positions}
        self._keep()

    def replicas(self, workers: int) -> None:
        """Run those that are not complete, each kept as soon as it is."""
        complete = {self._number(item) for item in self.state["replicas"]}
        left = [number for number in range(1, self.options.replicas + 1) if number not in complete]
        done = dict.fromkeys(complete, self.options.replica_steps)

        def heard(index: int, steps: int) -> None:
            """Add up what all replicas have done."""
            done[left[index]] = steps
            self._told(self.options.cell_steps + sum(done.values()))

        workers = min(workers, max(1, len(left)))
        calculator = self._made if workers == 1 else self.calculator
        runs = ReplicaRuns(self.atoms, calculator, self.options, self.prefix, self.recorded)
        with Team(runs, workers) as team:
            for index, replica in team.work_on(left, heard):
                self.state["replicas"].append(asdict(replica))
                self.state["replicas"].sort(key=self._number)
                self._keep()
                heard(index, self.options.replica_steps)

    def _number(self, item: dict[str, Any]) -> int:
        return int(item["trajectory"].removeprefix(f"{self.prefix.name}-").removesuffix(".xyz"))

    def _told(self, steps: int) -> None:
        self._progress(steps, self.options.total_steps)

    def _keep(self) -> None:
        atomic.write_text(self._file, json.dumps(self.state, indent=1) + "\n")


def _same(one: list[float], other: list[float] | None) -> bool:
    """Whether two potentials are the same, as far as is known."""
    size = np.sqrt(np.mean(np.square(one)))
    return other is None or bool(np.abs(np.subtract(one, other)).max() <= _SAME_FORCES * size + 1e-6)


def _constraints_of(atoms: Any) -> str:
    """Describe constraints, if there are any; of a class of one's own the name."""
    found = [c.todict() if hasattr(c, "todict") else type(c).__name__ for c in atoms.constraints]
    return str(found) if found else ""


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _name_of(calculator: Any) -> str:
    """Return the class of a calculator, or what names the one that is made."""
    if is_calculator(calculator):
        return type(calculator).__name__
    return str(getattr(calculator, "spec", getattr(calculator, "__name__", type(calculator).__name__)))
