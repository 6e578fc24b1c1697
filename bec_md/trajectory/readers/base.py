"""What the readers of all files share."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from pathlib import Path

from bec_md.files import fingerprint
from bec_md.structure.names import VelocityUnits
from bec_md.trajectory.options import ReadOptions


class FileReader(ABC):
    """A file that holds frames.

    Parameters
    ----------
    path
        The file.
    options
        How to read it.
    companions
        Further files that belong to it (velocities, cell, a topology).
    """

    format: str

    def __init__(self, path: Path, options: ReadOptions, companions: Sequence[Path] = ()) -> None:
        self.path = path
        self.options = options
        self.source = path.name
        self.fingerprint = fingerprint(path, *companions)
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.timestep_fs: float | None = None
        self.velocity_units: VelocityUnits | None = None
