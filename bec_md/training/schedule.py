"""Learning rate as a function of the part of the schedule that is done."""

from __future__ import annotations

import math

from bec_md.training.config import Optimizer, Schedule


def learning_rate(progress: float, optimizer: Optimizer) -> float:
    """Linear warm-up, then half a cosine from the full rate to its final part.

    η(p) = η₀ p/w for p < w, else η₀ [f + (1 − f)(1 + cos π(p − w)/(1 − w))/2]

    Parameters
    ----------
    progress
        p, from 0 at the start to 1 at the end.
    optimizer
        Holds η₀, w and f.
    """
    p = min(max(progress, 0.0), 1.0)
    if p < optimizer.warmup:
        return optimizer.learning_rate * max(p / optimizer.warmup, 0.01)
    phase = (p - optimizer.warmup) / (1.0 - optimizer.warmup)
    cosine = (1.0 + math.cos(math.pi * phase)) / 2.0
    return optimizer.learning_rate * (optimizer.final_ratio + (1.0 - optimizer.final_ratio) * cosine)


def schedule_progress(schedule: Schedule, epochs_done: float, elapsed_s: float) -> float:
    """Part of the schedule that is done; with both limits, the one that is nearer to its end."""
    parts = []
    if schedule.epochs is not None:
        parts.append(epochs_done / schedule.epochs)
    if schedule.max_minutes is not None:
        parts.append(elapsed_s / (60.0 * schedule.max_minutes))
    return min(max(parts), 1.0)
