"""A hostile input, and a small healthy system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

FIXED = ["--charges", "fixed:Na=1,Cl=-1"]
OUT = ["-q", "--threads", "1", "--csv", "o.csv", "-o", "o.h5"]
Make = bytes | Callable[[Path], object]


@dataclass(frozen=True)
class Case:
    """A command and the files that it meets.

    Parameters
    ----------
    name
        Unique.
    words
        The command line after ``bec-md``.
    files
        Name → content, or what makes it.
    wants
        ``"refused"``, ``"done"``, or ``"any"`` of both.
    environment
        Variables to set, None to remove; such a case is a program of its own.
    before
        Called in the child before the command begins: limits, closed streams.
    during
        Called in the parent while the command runs, with the folder.
    """

    name: str
    words: list[str]
    files: dict[str, Make] = field(default_factory=dict)
    wants: str = "any"
    environment: dict[str, str | None] | None = None
    before: Callable[[], object] | None = None
    during: Callable[[Path], object] | None = None


CELL = 5.64


def salt(frames: int = 40, *, step: float = 1.0, change: Callable[[int, str], str] | None = None) -> bytes:
    """Extended XYZ of eight vibrating ions."""
    random = np.random.default_rng(1)
    grid = np.array([[i, j, k] for i in range(2) for j in range(2) for k in range(2)])
    symbols = np.where(grid.sum(axis=1) % 2, "Cl", "Na")
    omega, phase = random.uniform(0.03, 0.06, (8, 3)), random.uniform(0.0, 6.28, (8, 3))
    out = []
    for k in range(frames):
        turn = omega * k * step + phase
        columns = np.hstack([grid * CELL / 2 + 0.05 * np.sin(turn), 0.05 * omega * np.cos(turn)])
        text = f'8\nLattice="{CELL} 0 0 0 {CELL} 0 0 0 {CELL}" Properties=species:S:1:pos:R:3:vel:R:3 '
        text += f"timestep_fs={step} velocity_units=ang/fs\n"
        for symbol, row in zip(symbols, columns, strict=True):
            text += symbol + " " + " ".join(f"{value:.9f}" for value in row) + "\n"
        out.append(text if change is None else change(k, text))
    return "".join(out).encode()


SPECTRUM = ["spectrum", "t.xyz", *FIXED, *OUT]
