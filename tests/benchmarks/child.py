"""Run a command in a process of its own; wall time, processor time and peak memory of it and its children."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """What a process needed."""

    wall_s: float
    cpu_s: float
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.wall_s:8.2f} s wall {self.cpu_s:8.2f} s processor {self.peak_mb:7.0f} MB peak"


def run(arguments: Sequence[str], folder: Path) -> Usage:
    """Run Python with `arguments` in `folder`, without output; fails when the command fails."""
    begin = time.perf_counter()
    log = folder / "command.log"
    with log.open("w", encoding="utf-8") as stream:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, *arguments],
            {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, stream.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, stream.fileno(), 2),
            ],
        )
        _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - begin
    if status != 0:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{log.read_text(encoding='utf-8')[-2000:]}")
    return Usage(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)  # Linux: kilobytes


def command(*words: str) -> list[str]:
    """Arguments of Python that run ``bec-md WORDS…``."""
    return ["-c", "from bec_md.cli import main; main()", *words]
