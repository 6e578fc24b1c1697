"""Trajectories, structures and data sets: what they hold, and what they lack for a spectrum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bec_md.description.binaries import size_of_binary
from bec_md.description.description import Description, in_one_line
from bec_md.errors import BecMDError, DataError, UsageError
from bec_md.structure import Frame
from bec_md.structure.names import CHARGES, EPS_INF
from bec_md.trajectory import Trajectory, open_trajectory
from bec_md.trajectory.formats import recognize
from bec_md.trajectory.options import ReadOptions

#: Formulas that are named one by one.
_MOST_NAMED = 4
#: Elements that stand for types, by number.
_SYMBOLS = [
    *("H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "Ar"),
    *("K", "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As", "Se", "Br"),
]
#: What stands in for an argument that was not given, so that the rest of the file can be described.
_STAND_INS: Mapping[str, Any] = {
    "lammps_units": "metal",
    "elements": dict(enumerate(_SYMBOLS, start=1)),
    "cell_ang": (1000.0, 1000.0, 1000.0),
}


def describe_structures(path: Path, options: ReadOptions) -> Description:
    """Describe what can be opened as a trajectory, as far as it can.

    Raises
    ------
    UsageError, DataError
        If it cannot be opened, whatever is assumed about units, elements and cell.
    """
    try:
        trajectory = open_trajectory(path, options)
        if len(list(islice(trajectory.frames(), 2))) > 1:
            return _of_run(trajectory)
        return _Structures.of(trajectory).described()
    except BecMDError as error:
        refusal = error
    if options.timestep_fs is not None or options.topology is not None:
        raise refusal  # the caller knows what it is, and is told why it is not
    return _with_stand_ins(path, options, refusal)


def _of_run(trajectory: Trajectory) -> Description:
    """Frames of one run."""
    info = trajectory.info
    first = next(iter(trajectory.frames()))
    missing = []
    if info.timestep_fs is None:
        missing.append("the time between frames: give `timestep_fs`")
    if not info.has_velocities:
        missing.append("the temperature, as there are no velocities: give `temperature_k`")
    count = "an unknown number of" if info.n_frames is None else info.n_frames
    rows = (
        ("atoms", f"{info.n_atoms} ({composition(info.numbers)})"),
        ("cell", _cell_words(first)),
        ("time step", "not stated" if info.timestep_fs is None else f"{info.timestep_fs:g} fs"),
        ("velocities", "yes" if info.has_velocities else "no: they will be differences of positions"),
        ("charges", "Born effective charges in the file" if info.has_charges else "none in the file"),
        ("units", info.units_note),
    )
    values = {
        "source": info.source,
        "format": info.format,
        "n_frames": info.n_frames,
        "n_atoms": info.n_atoms,
        "composition": composition(info.numbers),
        "timestep_fs": info.timestep_fs,
        "has_velocities": info.has_velocities,
        "has_charges": info.has_charges,
        "units": info.units_note,
    }
    kind = f"trajectory ({info.format}), {count} frames"
    return Description(kind, rows, values, tuple(missing), info.warnings)


@dataclass
class _Structures:
    """What is counted over structures that need not be frames of one run."""

    source: str
    format: str
    units_note: str
    first: Frame
    warnings: list[str]
    n_frames: int = 0
    formulas: Counter[str] = field(default_factory=Counter)
    sizes: set[int] = field(default_factory=set)
    labels: Counter[str] = field(default_factory=Counter)
    steps: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, trajectory: Trajectory) -> _Structures:
        """Read all of them."""
        info, found = trajectory.info, None
        for frame in trajectory.frames():
            if found is None:
                found = cls(info.source, info.format, info.units_note, frame, list(info.warnings))
            found.add(frame)
        assert found is not None  # opening has read one
        return found

    def add(self, frame: Frame) -> None:
        """Count one more."""
        self.n_frames += 1
        self.formulas[frame.formula] += 1
        self.sizes.add(frame.n_atoms)
        self.labels.update(list(frame.labels))
        if frame.step is not None:
            self.steps.append(frame.step)

    @property
    def alike(self) -> bool:
        """Whether all have the same atoms."""
        return len(self.formulas) == 1 and len(self.sizes) == 1

    def described(self, assumed: Collection[str] = (), refusal: BecMDError | None = None) -> Description:
        """In words; `assumed` are the arguments that something stands in for."""
        count, first = self.n_frames, self.first
        by_type = "elements" in assumed
        if self.alike:
            rows = [("atoms", f"{first.n_atoms} ({composition(first.numbers, by_type=by_type)})")]
            if not assumed:
                rows.append(("cell", _cell_words(first)))
        else:
            named = ", ".join(f"{name} {number}" for name, number in self.formulas.most_common(_MOST_NAMED))
            rest = len(self.formulas) - _MOST_NAMED
            rows = [
                ("atoms", f"{min(self.sizes)} … {max(self.sizes)} in a structure"),
                ("formulas", f"{len(self.formulas)}: {named}" + (f" and {rest} more" if rest > 0 else "")),
            ]
        if len(self.steps) > 1:
            rows.append(
                ("steps", f"{self.steps[0]} … {self.steps[-1]}, every {self.steps[1] - self.steps[0]}")
            )
        charged, with_eps = self.labels[CHARGES], self.labels[EPS_INF]
        rows.append(("charges", f"Born effective charges in {charged} of {count}" if charged else "none"))
        if with_eps:
            rows.append(("ε_∞", f"in {with_eps} of {count}"))
        missing = []
        if count == 1:
            kind = f"one structure ({self.format})"
            missing.append("motion: a spectrum needs a molecular dynamics run of it")
        elif assumed and self.alike and isinstance(refusal, UsageError):
            kind = f"trajectory ({self.format}), {count} frames"
        else:
            kind = f"{count} structures ({self.format})"
            missing.append("motion: a spectrum needs frames of one run")
        values = {
            "source": self.source, "format": self.format, "n_frames": count, "n_charges": charged,
            "n_eps_inf": with_eps, "formulas": {} if by_type else dict(self.formulas),
            "n_atoms": first.n_atoms if self.alike else None,
        }  # fmt: skip
        warnings = self.warnings
        if count > 1 and self.alike and isinstance(refusal, DataError):
            warnings = [*warnings, f"not frames of one run: {in_one_line(refusal)}"]
        return Description(kind, tuple(rows), values, tuple(missing), tuple(warnings))


def _with_stand_ins(path: Path, options: ReadOptions, refusal: BecMDError) -> Description:
    """Describe as structures what is no run, or lacks an argument, with something in its place."""
    missing: dict[str, str] = {}
    current, error = replace(options, time_series=False), refusal
    while True:
        try:
            found = _Structures.of(open_trajectory(path, current))
        except BecMDError as raised:
            error = raised
        else:
            described = found.described(missing, refusal)
            return replace(described, missing=(*missing.values(), *described.missing))
        name = next((n for n in _STAND_INS if n in error.fix and n not in missing), None)
        if name is None:
            break
        missing[name] = in_one_line(error)
        current = replace(current, **{name: _STAND_INS[name]})
    if isinstance(refusal, DataError) or not (missing or "topology" in refusal.fix):
        raise refusal
    name = recognize(path)
    rows, values = size_of_binary(path)
    lacking = tuple(missing.values()) or (in_one_line(refusal),)
    return Description(f"trajectory ({name})", rows, {"source": path.name, "format": name, **values}, lacking)


def composition(numbers: NDArray[np.int64], *, by_type: bool = False) -> str:
    """Write the number of atoms of each element, e.g. "O 48, Si 24", or of each type."""
    from ase.data import chemical_symbols

    counts = Counter(numbers.tolist())
    if by_type:
        return ", ".join(f"type {number}: {count}" for number, count in sorted(counts.items()))
    named = sorted((chemical_symbols[number], count) for number, count in counts.items())
    return ", ".join(f"{symbol} {count}" for symbol, count in named)


def _cell_words(frame: Frame) -> str:
    if not frame.cell_ang.any():
        return "none"
    lengths = np.linalg.norm(frame.cell_ang, axis=1)
    edges = " × ".join(f"{length:.4g}" for length in lengths)
    return f"{edges} Å, {frame.volume_ang3:.5g} Å³, periodic along {int(frame.pbc.sum())}"
