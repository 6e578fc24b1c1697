"""The benchmark: one process, all contestants in turn, processor time, medians."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bec_md.bench import contestants as who
from bec_md.bench.ceilings import Ceilings, ceiling_tasks, ceilings_from
from bec_md.bench.clock import Task, Timing, interleave
from bec_md.bench.roofline import PARTS, Work, work_per_atom
from bec_md.bench.structures import SYSTEMS, BenchSystem

#: Calls from which the shares of the parts are taken, and the atoms in each.
PROFILE_CALLS, PROFILE_ATOMS = 100, 300
#: Shares are not believed when the wall time of a call exceeds its processor time by this factor.
DISTURBED = 1.1
#: What is not spent in C++: mean and spread of the ensemble, checks.
PYTHON = "python"
#: Task in which only the native evaluator is measured.
EVALUATOR = "evaluator"


@dataclass(frozen=True)
class BenchSettings:
    """What to measure and how long."""

    model: str = "auto"
    threads: tuple[int, ...] = (1, 2)
    systems: tuple[str, ...] = ("quartz", "water")
    quick: bool = False
    compile: bool = False
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
    ceilings: Ceilings
    work: Mapping[str, Work]
    parts_us: Mapping[str, float] = field(default_factory=dict)  # native, one thread; empty without it

    @property
    def shipped(self) -> str:
        """Contestant that users get here."""
        return who.NATIVE if any(name == who.NATIVE for name, _ in self.timings) else who.TORCH

    def cpu_us(self, name: str, threads: int) -> float:
        """Median processor time, µs per atom; NaN if it was not measured."""
        timing = self.timings.get((name, threads))
        return float("nan") if timing is None else timing.cpu_us

    @property
    def baseline(self) -> str:
        """The faster one of the edge-wise networks that were measured."""
        threads = min(t for _, t in self.timings)
        names = [name for name in (who.EDGEWISE, who.COMPILED) if (name, threads) in self.timings]
        return min(names, key=lambda name: self.cpu_us(name, threads))

    @property
    def roofline_us(self) -> float:
        """Least time per atom at the ceilings, µs."""
        return sum(work.least_us(self.ceilings) for work in self.work.values())


@dataclass(frozen=True)
class BenchResult:
    """The benchmark's result."""

    settings: BenchSettings
    systems: tuple[SystemResult, ...]
    instruction_set: str
    note: str = ""


def run_benchmark(settings: BenchSettings, say: Callable[[str], None] = lambda _: None) -> BenchResult:
    """Measure all systems; `say` is told what is being done."""
    from bec_md.bench.edgewise import untrained
    from bec_md.network.native import native_status
    from bec_md.training.allocator import keep_freed_memory

    keep_freed_memory()  # else PyTorch pays for a page fault per 4 kB of every temporary
    edgewise = [who.edgewise_contestant(untrained(), n) for n in settings.threads]
    if settings.compile:
        say("compiling the edge-wise network")
        network = untrained(compile=True)
        edgewise += [who.edgewise_contestant(network, n, who.COMPILED) for n in settings.threads]
    results = []
    for system in settings.chosen():
        say(f"measuring {system.label} atoms")
        results.append(measure_system(system, settings, edgewise))
    status = native_status()
    note = "" if status.available else f"native engine not available: {status.reason}; fix: {status.fix}"
    return BenchResult(settings, tuple(results), status.instruction_set, note)


def measure_system(
    system: BenchSystem, settings: BenchSettings, edgewise: Sequence[who.Contestant]
) -> SystemResult:
    """Measure every contestant with every number of threads, and the ceilings, in turn."""
    from bec_md.network.config import NetworkConfig

    (atoms,) = system.frames(1)
    runners: dict[tuple[str, int], who.Contestant] = {}
    model, config, evaluator = "", {}, None
    for index, threads in enumerate(settings.threads):
        native, reference = who.load(settings.model, atoms, threads)
        model, config = reference.name, reference.config
        if native is not None:
            runners[who.NATIVE, threads] = who.native_contestant(native)
            if native.charges_from != "charges":
                runners[who.TENSORS, threads] = who.tensor_contestant(native)
            evaluator = evaluator or who.evaluator_of(native)
        runners[who.TORCH, threads] = who.torch_contestant(reference, threads)
        for contestant in edgewise[index :: len(settings.threads)]:
            runners[contestant.name, threads] = contestant
    tasks = [_task(_name(key), contestant, system) for key, contestant in runners.items()]
    if evaluator is not None:
        tasks.append(_task(EVALUATOR, who.Contestant(EVALUATOR, evaluator, who.NATIVE_ATOMS), system))
    timings = interleave([*tasks, *ceiling_tasks()], settings.rounds, settings.budget_s)
    neighbors = count_neighbors(system, config["cutoff_ang"])
    return SystemResult(
        system=system,
        model=model,
        neighbors=neighbors,
        frames={name: contestant.frames_for(system.n_atoms) for (name, _), contestant in runners.items()},
        timings={key: timings[_name(key)] for key in runners},
        ceilings=ceilings_from(timings),
        work=work_per_atom(NetworkConfig(**config), neighbors),
        parts_us={} if evaluator is None else _parts(evaluator, system, timings, settings.threads[0]),
    )


def _name(key: tuple[str, int]) -> str:
    return f"{key[0]} with {key[1]} threads"


def _task(name: str, contestant: who.Contestant, system: BenchSystem) -> Task:
    frames = system.frames(contestant.frames_for(system.n_atoms))
    return Task(name, lambda: contestant.run(frames), float(len(frames) * system.n_atoms))


def count_neighbors(system: BenchSystem, cutoff_ang: float) -> float:
    """Return the mean number of neighbors of an atom."""
    from bec_md.network.graph import neighbor_pairs

    (atoms,) = system.frames(1)
    receiver, _, _ = neighbor_pairs(atoms.positions, np.asarray(atoms.cell), atoms.pbc, cutoff_ang)
    return len(receiver) / len(atoms)


def _parts(
    evaluator: Callable[..., object], system: BenchSystem, timings: Mapping[str, Timing], threads: int
) -> dict[str, float]:
    """Divide the native evaluator's time, µs per atom, among its parts, and add what Python needs.

    The evaluator reads the wall clock, and another process may take the processor in the middle of a part:
    the shares are those of the call that was interrupted least, and empty if none was left alone.
    """
    from bec_md.network.native_library import ProfileStruct

    frames = system.frames(max(1, PROFILE_ATOMS // system.n_atoms))
    undisturbed, seconds = np.inf, dict.fromkeys(PARTS, 0.0)
    for _ in range(PROFILE_CALLS):
        found = ProfileStruct()
        wall, cpu = time.perf_counter(), time.process_time()
        evaluator(frames, profile=found)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if wall / cpu < undisturbed:
            undisturbed = wall / cpu
            seconds = {part: float(getattr(found, f"{part}_s")) for part in PARTS}
    if undisturbed > DISTURBED:
        return {}
    whole = timings[EVALUATOR].cpu_us
    parts = {part: whole * value / sum(seconds.values()) for part, value in seconds.items()}
    return {**parts, PYTHON: max(0.0, timings[_name((who.NATIVE, threads))].cpu_us - whole)}
