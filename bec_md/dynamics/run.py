"""Equilibrate a structure, then run energy-conserving replicas and record trajectory and current of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units

from bec_md import atomic
from bec_md.ase.recorder import CurrentRecorder
from bec_md.dynamics.options import DynamicsOptions
from bec_md.errors import DataError, UsageError
from bec_md.interruption import checkpoint, held

#: Friction of the thermostat, 1/fs: velocities are forgotten in 50 fs.
FRICTION_PER_FS = 0.02
#: A kinetic temperature above so many times the wanted one is no fluctuation.
EXPLODED = 4.0
#: Relaxation times of the thermostat and the barostat at zero pressure, fs.
THERMOSTAT_FS, BAROSTAT_FS = 50.0, 500.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Replica:
    """One energy-conserving run.

    Parameters
    ----------
    trajectory, current
        Names of its files.
    temperature_k
        Mean kinetic temperature, K, the center of mass at rest.
    drift_mev_atom_ps
        Slope of the total energy, meV per atom and ps.
    """

    trajectory: str
    current: str
    temperature_k: float
    drift_mev_atom_ps: float


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
    progress: Progress | None = None,
    **recorded: Any,
) -> DynamicsResult:
    """Run replicas of a structure and record the current of each.

    A thermostat equilibrates (Langevin), with ``relax_cell`` after a run at zero pressure (Martyna, Tobias
    and Klein 1994) whose mean cell is kept. Every replica then has new velocities from the Maxwell–Boltzmann
    distribution and conserves its energy (velocity Verlet): no friction broadens the bands. A run that was
    stopped goes on with the first replica that is not complete.

    Parameters
    ----------
    structure
        Crystal, glass or liquid in its periodic cell.
    calculator
        ASE calculator with energy and forces (stress for ``relax_cell``).
    options
        Temperature, times and sizes.
    output
        Prefix: writes ``PREFIX-1.xyz`` (extended XYZ with momenta), ``PREFIX-1_current.h5``, … and
        ``PREFIX_md.json``.
    overwrite
        Start over even if files of this name exist.
    progress
        Called with (steps done, steps in total).
    **recorded
        Of `bec_md.current.CurrentOptions`: ``model``, ``charges``, ….

    Raises
    ------
    UsageError
        If files of this name belong to a run with other settings.
    DataError
        If the run explodes.
    """
    options.check()
    options = options.resolved(structure)
    assert options.repeat is not None
    atoms = structure.repeat(options.repeat)  # type: ignore[no-untyped-call]
    atoms.calc = calculator
    run = _Run(atoms, options, Path(output).expanduser(), progress, recorded)
    run.begin(overwrite)
    with held():
        if run.state["start"] is None:
            run.equilibrate()
        while len(run.state["replicas"]) < options.replicas:
            run.replica()
    replicas = tuple(Replica(**item) for item in run.state["replicas"])
    return DynamicsResult(replicas, run.state["start"]["cell"], run.prefix.parent)


class _Run:
    """A run in progress: the atoms, and what is done (`state`, kept in ``PREFIX_md.json``)."""

    def __init__(
        self,
        atoms: Any,
        options: DynamicsOptions,
        prefix: Path,
        progress: Progress | None,
        recorded: dict[str, Any],
    ) -> None:
        self.atoms, self.options, self.prefix = atoms, options, prefix
        self.recorded = recorded
        self._progress, self._done = progress, 0
        self.state: dict[str, Any] = {
            "settings": {
                **asdict(options),
                "formula": str(atoms.symbols),
                "calculator": type(atoms.calc).__name__,
                "recorded": {
                    name: str(getattr(value, "fingerprint", value))
                    for name, value in sorted(recorded.items())
                },
            },
            "start": None,
            "replicas": [],
        }
        self._random = np.random.default_rng(options.seed)

    @property
    def _file(self) -> Path:
        return self.prefix.with_name(f"{self.prefix.name}_md.json")

    def begin(self, overwrite: bool) -> None:
        """Take up what an earlier run of the same settings has left."""
        if overwrite or not self._file.exists():
            return
        stored = json.loads(self._file.read_text(encoding="utf-8"))
        wanted = json.loads(json.dumps(self.state["settings"]))
        differing = sorted(name for name in wanted if stored.get("settings", {}).get(name) != wanted[name])
        if differing:
            raise UsageError(
                f"{self._file.name} belongs to a run with other {', '.join(differing)}",
                "its replicas and these would be averaged as one system",
                "choose another output, or overwrite it",
            )
        self.state = stored
        if self.state["start"] is not None:
            self.atoms.set_cell(np.array(self.state["start"]["cell"]))
            self.atoms.set_positions(np.array(self.state["start"]["positions"]))
        done = len(self.state["replicas"])
        self._random = np.random.default_rng([self.options.seed, done])
        replica = self.options.steps(self.options.time_ps) + self.options.steps(
            self.options.equilibration_ps / 4
        )
        self._done = done * replica

    # ------------------------------------------------------------------ phases
    def equilibrate(self) -> None:
        """Bring the structure to the temperature, and the cell to zero pressure if that is asked for."""
        self._draw_velocities()
        if self.options.relax_cell:
            self._relax_cell()
        self._thermalize(self.options.equilibration_ps)
        self._keep_start()

    def replica(self) -> None:
        """Run and record the next replica."""
        from ase.md.verlet import VelocityVerlet

        number = len(self.state["replicas"]) + 1
        if number > 1:
            self._thermalize(self.options.equilibration_ps / 4)
        self._draw_velocities()
        trajectory = self.prefix.with_name(f"{self.prefix.name}-{number}.xyz")
        current = self.prefix.with_name(f"{self.prefix.name}-{number}_current.h5")
        dynamics: Any = VelocityVerlet(self.atoms, self._step)
        energies: list[tuple[float, float]] = []

        def note() -> None:
            """Keep kinetic and potential energy, eV."""
            energies.append((self.atoms.get_kinetic_energy(), self.atoms.get_potential_energy()))

        dynamics.attach(note, interval=self.options.interval)
        with (
            atomic.replacing(trajectory, keep=True) as partial,
            partial.open("w", encoding="utf-8") as stream,
        ):
            dynamics.attach(self._store, self.options.interval, stream, dynamics)
            with CurrentRecorder(
                dynamics, current, interval=self.options.interval, overwrite=True, **self.recorded
            ):
                self._advance(dynamics, self.options.time_ps)
        table = np.array(energies)
        total, count = table.sum(axis=1), len(self.atoms)
        times = np.arange(len(total)) * self.options.interval * self.options.step_fs / 1000.0
        drift = float(np.polyfit(times, total, 1)[0]) if len(total) > 1 else 0.0
        freedom = 1.5 * units.kB * (count - 1)
        done = Replica(
            trajectory.name, current.name, float(table[:, 0].mean() / freedom), 1000.0 * drift / count
        )
        self.state["replicas"].append(asdict(done))
        self._keep_start()

    def _thermalize(self, time_ps: float) -> None:
        from ase.md.langevin import Langevin

        dynamics = Langevin(
            self.atoms,
            self._step,
            temperature_K=self.options.temperature_k,
            friction=FRICTION_PER_FS / units.fs,
            fixcm=False,  # velocities are drawn anew after it
            rng=self._random,
        )
        self._advance(dynamics, time_ps)

    def _relax_cell(self) -> None:
        from ase.md.nose_hoover_chain import MTKNPT, IsotropicMTKNPT

        lengths, angles = np.split(self.atoms.cell.cellpar(), 2)
        cubic = np.ptp(lengths) < 1e-3 * lengths[0] and bool((np.abs(angles - 90.0) < 0.1).all())
        self._thermalize(self.options.equilibration_ps / 4)
        dynamics: Any = (IsotropicMTKNPT if cubic else MTKNPT)(
            self.atoms,
            self._step,
            temperature_K=self.options.temperature_k,
            pressure_au=0.0,
            tdamp=THERMOSTAT_FS * units.fs,
            pdamp=BAROSTAT_FS * units.fs,
        )
        cells: list[Any] = []
        dynamics.attach(lambda: cells.append(self.atoms.cell.array.copy()), interval=1)
        self._advance(dynamics, self.options.equilibration_ps)
        self.atoms.set_cell(np.mean(cells[len(cells) // 2 :], axis=0), scale_atoms=True)

    # ------------------------------------------------------------------ pieces
    @property
    def _step(self) -> float:
        return self.options.step_fs * units.fs

    def _draw_velocities(self) -> None:
        """Draw momenta from the Maxwell–Boltzmann distribution, the center of mass at rest."""
        masses = self.atoms.get_masses()[:, None]
        spread = np.sqrt(units.kB * self.options.temperature_k * masses)
        momenta = spread * self._random.standard_normal((len(masses), 3))
        self.atoms.set_momenta(momenta - masses / masses.sum() * momenta.sum(axis=0))

    def _advance(self, dynamics: Any, time_ps: float) -> None:
        for _ in dynamics.irun(self.options.steps(time_ps)):
            checkpoint()
            if dynamics.nsteps and self._progress is not None:
                self._done += 1
                self._progress(self._done, self.options.total_steps)
            if dynamics.nsteps % 20 == 0:
                self._require_sane()

    def _require_sane(self) -> None:
        temperature = float(self.atoms.get_temperature())
        if not temperature < EXPLODED * self.options.temperature_k + 300.0:
            raise DataError(
                f"the run has exploded: {temperature:.0f} K instead of {self.options.temperature_k:g} K",
                "the potential does not hold this structure, or the time step is too long for it",
                "try a shorter time step; look at the structure; take another potential",
            )

    def _store(self, stream: Any, dynamics: Any) -> None:
        from ase.io.extxyz import write_extxyz

        frame = self.atoms.copy()
        frame.info = {"time_fs": float(dynamics.get_time() / units.fs), "step": int(dynamics.nsteps)}
        write_extxyz(stream, [frame], columns=["symbols", "positions", "momenta"], write_results=False)

    def _keep_start(self) -> None:
        """Write what is done, and where the next replica begins."""
        cell, positions = self.atoms.cell.array.tolist(), self.atoms.positions.tolist()
        self.state["start"] = {"cell": cell, "positions": positions}
        atomic.write_text(self._file, json.dumps(self.state, indent=1) + "\n")
