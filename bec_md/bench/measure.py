"""The benchmark: one process, all contestants in turn, processor time, medians."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bec_md.bench import contestants as who
from bec_md.bench.clock import Task, Timing, interleave
from bec_md.bench.structures import SYSTEMS, BenchSystem

if TYPE_CHECKING:
    from bec_md.network.predictor import BecModel


@dataclass(frozen=True)
class BenchSettings:
    """What to measure and how long."""

    model: str = "auto"
    threads: tuple[int, ...] = (1, 2)
    systems: tuple[str, ...] = ("quartz", "water")
    quick: bool = False
    rounds: int = 7
    budget_s: float = 60.0

    def chosen(self) -> list[BenchSystem]:
        """Return the structures: the smallest of each kind with `quick`."""
        found = [SYSTEMS[name][: 1 if self.quick else None] for name in self.systems]
        return [system for group in found for system in group]


@dataclass(frozen=True)
class SystemResult:
    """Everything measured on one structure; times are µs per atom."""

    system: BenchSystem
    model: str
    neighbors: float
    frames: Mapping[str, int]  # frames in one call, by contestant
    timings: Mapping[tuple[str, int], Timing]  # (contestant, threads)

    @property
    def shipped(self) -> str:
        """Contestant that users get here."""
        return who.NATIVE if any(name == who.NATIVE for name, _ in self.timings) else who.TORCH

    def cpu_us(self, name: str, threads: int) -> float:
        """Median processor time, µs per atom; NaN if it was not measured."""
        timing = self.timings.get((name, threads))
        return float("nan") if timing is None else timing.cpu_us


@dataclass(frozen=True)
class BenchResult:
    """The benchmark's result."""

    settings: BenchSettings
    systems: tuple[SystemResult, ...]
    instruction_set: str
    note: str = ""


@dataclass(frozen=True)
class Contest:
    """What is measured on one structure, by name and number of threads."""

    system: BenchSystem
    native: BecModel | None
    reference: BecModel
    runners: Mapping[tuple[str, int], who.Contestant]

    @classmethod
    def of(cls, system: BenchSystem, settings: BenchSettings) -> Contest:
        """Return the model of the structure in both engines, with every number of threads."""
        (atoms,) = system.frames(1)
        runners: dict[tuple[str, int], who.Contestant] = {}
        for threads in settings.threads:
            native, reference = who.load(settings.model, atoms, threads)
            if native is not None:
                runners[who.NATIVE, threads] = who.native_contestant(native)
                if native.charges_from != "charges":
                    runners[who.TENSORS, threads] = who.tensor_contestant(native)
            runners[who.TORCH, threads] = who.torch_contestant(reference, threads)
        return cls(system, native, reference, runners)

    def tasks(self) -> list[Task]:
        """Return what is to be measured in turn."""
        return [task(_name(key), runner, self.system) for key, runner in self.runners.items()]

    def result(self, timings: Mapping[str, Timing]) -> SystemResult:
        """Return what was measured."""
        n_atoms = self.system.n_atoms
        return SystemResult(
            system=self.system,
            model=self.reference.name,
            neighbors=count_neighbors(self.system, self.reference.cutoff_ang),
            frames={name: runner.frames_for(n_atoms) for (name, _), runner in self.runners.items()},
            timings={key: timings[_name(key)] for key in self.runners},
        )


def run_benchmark(settings: BenchSettings, say: Callable[[str], None] = lambda _: None) -> BenchResult:
    """Measure all systems; `say` is told what is being done."""
    from bec_md.network.native import native_status
    from bec_md.training.allocator import keep_freed_memory

    keep_freed_memory()  # else PyTorch pays for a page fault per 4 kB of every temporary
    results = []
    for system in settings.chosen():
        say(f"measuring {system.label} atoms")
        contest = Contest.of(system, settings)
        results.append(contest.result(interleave(contest.tasks(), settings.rounds, settings.budget_s)))
    status = native_status()
    note = "" if status.available else f"native engine not available: {status.reason}; fix: {status.fix}"
    return BenchResult(settings, tuple(results), status.instruction_set, note)


def _name(key: tuple[str, int]) -> str:
    return f"{key[0]} with {key[1]} threads"


def task(name: str, contestant: who.Contestant, system: BenchSystem) -> Task:
    """Return one call of a contestant, whose work is counted in atoms."""
    frames = system.frames(contestant.frames_for(system.n_atoms))
    return Task(name, lambda: contestant.run(frames), float(len(frames) * system.n_atoms))


def count_neighbors(system: BenchSystem, cutoff_ang: float) -> float:
    """Return the mean number of neighbors of an atom."""
    from bec_md.network.graph import neighbor_pairs

    (atoms,) = system.frames(1)
    receiver, _, _ = neighbor_pairs(atoms.positions, np.asarray(atoms.cell), atoms.pbc, cutoff_ang)
    return len(receiver) / len(atoms)
