"""Measure several things in turn, A B C A B C …, so that their ratios survive a machine that is not idle."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

#: Fewer rounds give no median worth the name.
LEAST_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Task:
    """Something to measure.

    Parameters
    ----------
    name
        Key of the result.
    run
        Called once per round.
    work
        What one call does: atoms, floating-point operations, bytes.
    """

    name: str
    run: Callable[[], object]
    work: float


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of every round of one task."""

    cpu_s: tuple[float, ...]  # of the process, all threads together
    wall_s: tuple[float, ...]
    work: float

    @property
    def cpu_us(self) -> float:
        """Median processor time per unit of work, µs."""
        return float(1e6 * np.median(self.cpu_s) / self.work)

    @property
    def wall_us(self) -> float:
        """Median wall time per unit of work, µs."""
        return float(1e6 * np.median(self.wall_s) / self.work)

    @property
    def spread_us(self) -> tuple[float, float]:
        """Quartiles of the processor time per unit of work, µs."""
        low, high = np.quantile(self.cpu_s, [0.25, 0.75])
        return float(1e6 * low / self.work), float(1e6 * high / self.work)

    @property
    def per_second(self) -> float:
        """Median work per second of processor time."""
        return float(self.work / np.median(self.cpu_s))


def interleave(tasks: Sequence[Task], rounds: int = 7, budget_s: float = 60.0) -> dict[str, Timing]:
    """Run all tasks in turn, `rounds` times after a round that is not counted.

    Parameters
    ----------
    tasks
        With different names.
    rounds
        How often each is measured.
    budget_s
        No further round is begun after so many seconds, unless there are fewer than three.
    """
    for task in tasks:  # caches, memory pools and lazily loaded libraries
        task.run()
    cpu: dict[str, list[float]] = {task.name: [] for task in tasks}
    wall: dict[str, list[float]] = {task.name: [] for task in tasks}
    collecting = gc.isenabled()
    gc.disable()
    begin = time.monotonic()
    try:
        for count in range(rounds):
            if count >= LEAST_ROUNDS and time.monotonic() - begin > budget_s:
                break
            for task in tasks:
                wall_before, before = time.perf_counter(), time.process_time()
                task.run()
                cpu[task.name].append(time.process_time() - before)
                wall[task.name].append(time.perf_counter() - wall_before)
    finally:
        if collecting:
            gc.enable()
    return {task.name: Timing(tuple(cpu[task.name]), tuple(wall[task.name]), task.work) for task in tasks}
