"""Energies and forces of configurations: shared among processes, and kept in a file as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from bec_md import atomic
from bec_md.arrays import Array
from bec_md.dynamics.replica import made
from bec_md.errors import UsageError
from bec_md.files import read_text
from bec_md.interruption import checkpoint, held
from bec_md.processes import Team
from bec_md.structure.comment import parse_comment

#: Energy in eV and forces (N, 3) in eV/Å.
Label = tuple[float, Array]


def labeled(atoms: Any, label: Label) -> Atoms:
    """Return a copy, wrapped, with energy and forces stored."""
    copy: Any = atoms.copy()
    copy.wrap()
    copy.calc = SinglePointCalculator(copy, energy=label[0], forces=label[1])  # type: ignore[no-untyped-call]
    return copy  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Labeling:
    """Makes the potential in the process that labels with it."""

    calculator: Any

    def __call__(self) -> Callable[[Any, Any], Label]:
        """Return what labels one configuration."""
        calculator = made(self.calculator)

        def label(atoms: Any, tell: Any) -> Label:
            """Energy and forces of a copy, wrapped."""
            copy = atoms.copy()
            copy.wrap()
            copy.calc = calculator
            energy = float(copy.get_potential_energy(force_consistent=True))
            return energy, np.array(copy.get_forces(), dtype=np.float64)

        return label


class Labels:
    """Labels configurations with a potential; those that a file holds already are not computed again.

    Parameters
    ----------
    calculator
        An ASE calculator, or a function that makes one; with several `workers` the latter.
    workers
        Processes that share the configurations.
    kept
        Where labels are kept.
    progress
        Called with the number of labels so far.
    """

    def __init__(
        self,
        calculator: Any,
        workers: int = 1,
        kept: KeptLabels | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._team = Team(Labeling(calculator), workers)
        self._kept, self._progress, self._done = kept or KeptLabels(), progress, 0

    def __enter__(self) -> Labels:
        return self

    def __exit__(self, *error: Any) -> None:
        self._team.__exit__(*error)

    def __call__(self, frames: Sequence[Any]) -> list[Atoms]:
        """Return labeled copies, in the order of the configurations."""
        found = [self._kept.of(atoms) for atoms in frames]
        missing = [number for number, label in enumerate(found) if label is None]
        self._count(len(frames) - len(missing))
        with held():  # a signal to end waits until a label is kept
            for index, label in self._team.work_on([frames[number] for number in missing]):
                found[missing[index]] = label
                self._kept.keep(frames[missing[index]], label)
                self._count(1)
                checkpoint()
        return [labeled(atoms, label) for atoms, label in zip(frames, found, strict=True) if label]

    def _count(self, more: int) -> None:
        self._done += more
        if self._progress is not None and more:
            self._progress(self._done)


class KeptLabels:
    """Labels in an extended XYZ file, appended one by one with all digits; in memory without a path.

    Parameters
    ----------
    path
        The file. What a killed run has left of a last configuration is removed.
    belongs_to
        Text that says what the labels are of: the file of another one is refused.

    Raises
    ------
    UsageError
        If the file belongs to something else.
    """

    def __init__(self, path: Path | None = None, belongs_to: str = "") -> None:
        self._path = path
        self._mark = blake2b(belongs_to.encode(), digest_size=8).hexdigest()
        self._known: dict[bytes, Label] = {}
        self.first: Atoms | None = None
        if path is None or not path.exists():
            return
        text = read_text(path)
        whole = 0
        for comment, rows, end in _frames(text):
            pairs = parse_comment(comment)
            if pairs.get("fit") != self._mark:
                raise UsageError(
                    f"{path.name} belongs to a fit of another structure, potential or temperature",
                    "its labels and these would be mixed",
                    "choose another output, or overwrite it",
                )
            values = np.array([row.split()[1:] for row in rows], dtype=np.float64)
            lattice = np.array(pairs["Lattice"].split(), dtype=np.float64).reshape(3, 3)
            symbols = [row.split()[0] for row in rows]
            atoms = Atoms(symbols, values[:, :3], cell=lattice, pbc=True)
            self.first = self.first or atoms
            self._known[_key(atoms)] = float(pairs["energy"]), values[:, 3:]
            whole = end
        if whole < len(text):
            atomic.write_text(path, text[:whole])

    def of(self, atoms: Any) -> Label | None:
        """Return the label of a configuration, if it is there."""
        return self._known.get(_key(atoms))

    def keep(self, atoms: Any, label: Label) -> None:
        """Add a label."""
        self._known[_key(atoms)] = label
        self.first = self.first or atoms.copy()
        if self._path is None:
            return
        lattice = " ".join(repr(x) for x in atoms.cell.array.ravel().tolist())
        comment = (
            f'Lattice="{lattice}" Properties=species:S:1:pos:R:3:forces:R:3 energy={label[0]!r} '
            f'pbc="T T T" fit={self._mark}'
        )
        rows = np.hstack([atoms.positions, label[1]]).tolist()
        lines = [
            f"{symbol} {' '.join(map(repr, row))}" for symbol, row in zip(atoms.symbols, rows, strict=True)
        ]
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n".join([str(len(atoms)), comment, *lines]) + "\n")


def _frames(text: str) -> Iterator[tuple[str, list[str], int]]:
    """Yield comment, rows and end of every whole frame of an extended XYZ file."""
    lines = text.splitlines(keepends=True)
    at, end = 0, 0
    while at < len(lines):
        count = int(lines[at]) if lines[at].strip().isdecimal() else 0
        block = lines[at : at + count + 2]
        if count < 1 or len(block) < count + 2 or not block[-1].endswith("\n"):
            return
        at, end = at + count + 2, end + sum(map(len, block))
        yield block[1], block[2:], end


def _key(atoms: Any) -> bytes:
    state = blake2b(np.asarray(atoms.numbers, dtype="<i8").tobytes(), digest_size=16)
    for values in (atoms.cell.array, atoms.positions):
        state.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
    return state.digest()
