"""Everything on one structure: the shipped network, its rivals, the machine's ceilings, parts of the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from bec_md.bench import contestants as who
from bec_md.bench.clock import Timing, interleave
from bec_md.bench.measure import BenchSettings, Contest, SystemResult, task
from bec_md.bench.structures import BenchSystem
from bec_md.network.config import NetworkConfig
from bec_md.network.native import NativeEngine
from bec_md.network.native_library import ProfileStruct
from bec_md.network.predictor import BecModel
from bec_md.training.allocator import keep_freed_memory
from tests.benchmarks.evaluation.ceilings import Ceilings, ceiling_tasks, ceilings_from
from tests.benchmarks.evaluation.edgewise import EdgewiseNetwork, predict, untrained
from tests.benchmarks.evaluation.roofline import PARTS, Work, work_per_atom

EDGEWISE, COMPILED = "edge-wise", "edge-wise, compiled"
#: Calls from which the shares of the parts are taken, and the atoms in each.
PROFILE_CALLS, PROFILE_ATOMS = 100, 300
#: Shares are not believed when the wall time of a call exceeds its processor time by this factor.
DISTURBED = 1.1
#: What is not spent in C++: mean and spread of the ensemble, checks.
PYTHON = "python"
#: Task in which only the native evaluator is measured.
EVALUATOR = "evaluator"


@dataclass(frozen=True)
class Measured(SystemResult):
    """What `bec-md bench` measures, and what it is compared with; times are µs per atom."""

    ceilings: Ceilings
    work: Mapping[str, Work]
    parts_us: Mapping[str, float] = field(default_factory=dict)  # native, one thread; empty without it

    @property
    def baseline(self) -> str:
        """The faster one of the edge-wise networks that were measured."""
        threads = min(t for _, t in self.timings)
        names = [name for name in (EDGEWISE, COMPILED) if (name, threads) in self.timings]
        return min(names, key=lambda name: self.cpu_us(name, threads))

    @property
    def roofline_us(self) -> float:
        """Least time per atom at the ceilings, µs."""
        return sum(work.least_us(self.ceilings) for work in self.work.values())


def measure(settings: BenchSettings, compile: bool, say: Callable[[str], None]) -> list[Measured]:
    """Measure all systems; `say` is told what is being done."""
    keep_freed_memory()  # else PyTorch pays for a page fault per 4 kB of every temporary
    rivals = {EDGEWISE: untrained()}
    if compile:
        say("compiling the edge-wise network")
        rivals[COMPILED] = untrained(compile=True)
    found = []
    for system in settings.chosen():
        say(f"measuring {system.label} atoms")
        found.append(_measure_system(system, settings, rivals))
    return found


def _measure_system(
    system: BenchSystem, settings: BenchSettings, rivals: Mapping[str, EdgewiseNetwork]
) -> Measured:
    """Measure every contestant with every number of threads, and the ceilings, in turn."""
    contest = Contest.of(system, settings)
    runners = dict(contest.runners)
    for threads in settings.threads:
        runners |= {(name, threads): edgewise(net, threads, name) for name, net in rivals.items()}
    contest = replace(contest, runners=runners)
    tasks = [*contest.tasks(), *ceiling_tasks()]
    evaluator = None if contest.native is None else evaluator_of(contest.native)
    if evaluator is not None:
        tasks.append(task(EVALUATOR, who.Contestant(EVALUATOR, evaluator, who.NATIVE_ATOMS), system))
    timings = interleave(tasks, settings.rounds, settings.budget_s)
    plain = contest.result(timings)
    native = plain.cpu_us(who.NATIVE, settings.threads[0])
    return Measured(
        **vars(plain),
        ceilings=ceilings_from(timings),
        work=work_per_atom(NetworkConfig(**contest.reference.config), plain.neighbors),
        parts_us={} if evaluator is None else _parts(evaluator, system, timings[EVALUATOR], native),
    )


def edgewise(network: EdgewiseNetwork, threads: int, name: str = EDGEWISE) -> who.Contestant:
    """Neighbor list, graph and tensor products on edges, in PyTorch."""

    def run(frames: Sequence[Atoms]) -> NDArray[np.float64]:
        """Evaluate frames with the edge-wise network."""
        who.set_torch_threads(threads)
        return predict(network, frames)

    return who.Contestant(name, run, who.TORCH_ATOMS)


def evaluator_of(model: BecModel) -> Callable[..., object]:
    """What the C++ evaluator alone does for a spectrum; takes frames and, by name, a profile."""
    assert isinstance(model.engine, NativeEngine)
    native = model.engine.model
    if model.charges_from == "charges":
        return partial(native.predict_frames, members=True)

    def run(frames: Sequence[Atoms], **options: object) -> object:
        """Differentiate along velocities, with all members."""
        velocities = who.velocities_of(frames).reshape(-1, 3)
        moving = {"members": ("current", "polarization"), "velocities": velocities}
        return native.evaluate(frames, ("eps_inf",), **moving, **options)  # type: ignore[arg-type]

    return run


def _parts(
    evaluator: Callable[..., object], system: BenchSystem, timing: Timing, native_us: float
) -> dict[str, float]:
    """Divide the native evaluator's time, µs per atom, among its parts, and add what Python needs.

    The evaluator reads the wall clock, and another process may take the processor in the middle of a part:
    the shares are those of the call that was interrupted least, and empty if none was left alone.
    """
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
    parts = {part: timing.cpu_us * value / sum(seconds.values()) for part, value in seconds.items()}
    return {**parts, PYTHON: max(0.0, native_us - timing.cpu_us)}
