"""What one thread of this machine can do at best: matrix products in float32, and moving memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bec_md.bench.clock import Task, Timing

#: Rows × inner × columns of the products: those that run best, and shapes that mixing 32 channels leads to.
BEST = ((768, 768, 768), (36, 544, 48))
SKINNY = ((60, 96, 32), (3600, 32, 32))
#: Bytes of the arrays that are copied: far beyond any cache, and within the second level.
MEMORY_BYTES = 128 << 20
CACHE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Ceilings:
    """Rates of one thread, by processor time."""

    gemm_flop_s: float  # best of all shapes and of two libraries
    skinny_flop_s: float  # best library on the worse of the skinny shapes
    memory_bytes_s: float
    cache_bytes_s: float


def ceiling_tasks() -> list[Task]:
    """Return tasks to be interleaved with the others; their work is in flop or bytes."""
    tasks = []
    for shape in (*BEST, *SKINNY):
        flop = 2.0 * float(np.prod(shape))
        calls = max(1, round(5e8 / flop))
        for library, multiply in _products(shape).items():
            name = f"gemm {'×'.join(map(str, shape))} {library}"
            tasks.append(Task(name, _repeat(multiply, calls), calls * flop))
    for name, size, total in (("memory", MEMORY_BYTES, MEMORY_BYTES), ("cache", CACHE_BYTES, 32 << 20)):
        calls = max(1, total // size)
        for way, (move, moved) in _copies(size).items():
            tasks.append(Task(f"{name} {way}", _repeat(move, calls), float(calls * moved)))
    return tasks


def ceilings_from(timings: Mapping[str, Timing]) -> Ceilings:
    """Return the ceilings from the timings of `ceiling_tasks`."""

    def best(prefix: str) -> float:
        """Return the highest rate of the timings with this prefix."""
        return max(t.per_second for name, t in timings.items() if name.startswith(prefix))

    skinny = [best(f"gemm {'×'.join(map(str, shape))}") for shape in SKINNY]
    return Ceilings(best("gemm"), min(skinny), best("memory"), best("cache"))


def _products(shape: tuple[int, int, int]) -> dict[str, Callable[[], object]]:
    import torch

    rows, inner, columns = shape
    rng = np.random.default_rng(0)
    a = rng.normal(size=(rows, inner)).astype(np.float32)
    b = rng.normal(size=(inner, columns)).astype(np.float32)
    c = np.empty((rows, columns), dtype=np.float32)
    ta, tb, tc = torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(c)
    return {"numpy": lambda: np.matmul(a, b, out=c), "torch": lambda: torch.mm(ta, tb, out=tc)}


def _copies(size: int) -> dict[str, tuple[Callable[[], object], int]]:
    """Ways to move an array, and the bytes each reads and writes."""
    import torch

    source = np.ones(size // 4, dtype=np.float32)
    target = np.empty_like(source)
    from_torch, to_torch = torch.from_numpy(source), torch.from_numpy(target)
    return {
        "copied by numpy": (lambda: np.copyto(target, source), 2 * size),
        "copied by torch": (lambda: to_torch.copy_(from_torch), 2 * size),
        "summed by torch": (lambda: from_torch.sum(), size),
    }


def _repeat(function: Callable[[], object], times: int) -> Callable[[], None]:
    def run() -> None:
        """Call the function as often as one timing needs."""
        for _ in range(times):
            function()

    return run
