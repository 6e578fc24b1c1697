"""`bec-md collect`: outputs of electronic-structure codes become one labelled file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bec_md.errors import DataError, UsageError
from bec_md.evaluation.doubts import label_doubts
from bec_md.evaluation.metrics import sum_rule_excess
from bec_md.files import file_hash, parsing, read_head, read_text, require_file
from bec_md.structure import Frame
from bec_md.structure.extxyz import write_frames
from bec_md.structure.names import CHARGES
from bec_md.training.pw_files import is_pw_output
from bec_md.trajectory.readers.hdf5 import is_hdf5


@dataclass(frozen=True, slots=True)
class CollectedLabel:
    """One structure with its labels and where they come from."""

    frame: Frame  # charges without any sum-rule correction
    path: Path
    residual_e: float  # max|Σ_i Z_i − Q·1|


@dataclass(frozen=True, slots=True)
class Collection:
    """What was collected, what was left out and why."""

    output: Path
    labels: tuple[CollectedLabel, ...]
    rejected: tuple[str, ...]  # one sentence per file or structure
    warnings: tuple[str, ...] = ()

    def summary(self) -> str:
        """One line for the terminal."""
        atoms = sum(label.frame.n_atoms for label in self.labels)
        worst = max(label.residual_e / label.frame.n_atoms for label in self.labels)
        text = (
            f"{len(self.labels)} structures, {atoms} tensors → {self.output}; |ΣZ − Q|/N up to {worst:.4f} e"
        )
        return text + (f"; {len(self.rejected)} left out" if self.rejected else "")


Reader = Callable[[Path, list[str]], list[Frame]]
"""Reads a file; the list gets a sentence for each run or step that is left out."""


def read_output(
    path: str | Path, *, structure: str | Path | None = None, left_out: list[str] | None = None
) -> list[Frame]:
    """Read every labelled structure of one output of ph.x, ABINIT or VASP, recognized from its content.

    Parameters
    ----------
    path
        The output; it may hold several runs, one behind the other.
    structure
        Input or output of pw.x for an output of ph.x.
    left_out
        Gets a sentence for each run or step that cannot be read while another can.

    Raises
    ------
    DataError
        If it is none of them, or labels are missing.
    UsageError
        If a structure is given for another output than that of ph.x.
    """
    file = require_file(Path(path), "labels are read from it")
    head = read_head(file, 200_000)
    text = "" if is_hdf5(head) else head.decode("utf-8", "replace")
    if is_pw_output(text):  # ph.x may follow far behind
        text = read_text(file, strict=False)
    reader = reader_of(text, structure) or (_vaspout if is_hdf5(head) else None)
    if reader is None:
        raise DataError(
            f"{file}: neither an output of ph.x or ABINIT nor an OUTCAR, vasprun.xml or vaspout.h5",
            "labels are read from these",
            "convert other outputs to extended XYZ with a column born_effective_charges:R:9",
        )
    with parsing(file, "complete output"):
        return reader(file, [] if left_out is None else left_out)


def _vaspout(file: Path, left_out: list[str]) -> list[Frame]:
    from bec_md.training.vaspout_labels import read_vaspout

    return read_vaspout(file)


def reader_of(head: str, structure: str | Path | None = None) -> Reader | None:
    """What reads an output that begins like this; `structure` is of pw.x, for ph.x."""
    from bec_md.training.abinit_output import is_abinit_output, read_abinit_output
    from bec_md.training.qe_output import is_ph_output, read_ph_output
    from bec_md.training.vasp_output import read_outcar, read_vasprun

    if structure is not None and not is_ph_output(head):
        raise UsageError(
            "`structure`: the output is not one of ph.x",
            "outputs of other programs hold their structures with all digits",
            "leave the option out",
        )
    if is_ph_output(head):
        given = None if structure is None else Path(structure)
        return lambda file, left_out: read_ph_output(file, structure=given, left_out=left_out)
    if is_abinit_output(head):
        return read_abinit_output
    if head.lstrip().startswith("<?xml") and "<modeling>" in head:
        return lambda file, _: read_vasprun(file)
    if "vasp." in head[:200].lower() or "POTCAR:" in head or "VRHFIN" in head:
        return read_outcar
    return None


def collect(
    paths: Sequence[str | Path],
    output: str | Path,
    *,
    level: str | None = None,
    structure: str | Path | None = None,
    total_charge: float | None = None,
    max_residual_e: float | None = None,
    skip_bad: bool = False,
) -> Collection:
    """Write the labels of many calculations into one extended XYZ file.

    Tensors are written as computed, with the first index the polarization (``bec_convention=dM/du``);
    the residual of the acoustic sum rule is recorded with each structure.

    Parameters
    ----------
    paths
        Outputs of ph.x and ABINIT; OUTCAR, vasprun.xml and vaspout.h5 files.
    output
        Extended XYZ file to write.
    level
        Name of the level of theory; by default program and functional, e.g. ``PBE Quantum ESPRESSO``.
    structure
        Input or output of pw.x for a single ph.x output.
    total_charge
        Net charge of every cell; by default what the output says.
    max_residual_e
        Leave out structures with a larger max|ΣZ − Q|/N (k-mesh not converged).
    skip_bad
        Leave out files that cannot be read, instead of stopping.

    A label that repeats another one to the last digit is left out.

    Returns
    -------
    Collection
        What was written, what was left out, and why.

    Raises
    ------
    DataError
        If a file cannot be read, or nothing is left.
    UsageError
        If one structure is given for several outputs, or for another program than ph.x, or a number is none.
    """
    if structure is not None and len(paths) != 1:
        raise UsageError(
            f"one structure for {len(paths)} outputs",
            "each calculation has its own",
            "collect them one by one",
        )
    for name, number in {"total_charge": total_charge, "max_residual_e": max_residual_e}.items():
        if number is not None and not np.isfinite(number):
            raise UsageError(
                f"`{name}={number:g}`", "it is compared with sums of charges", "give a number in e"
            )
    labels: list[CollectedLabel] = []
    rejected: list[str] = []
    seen: dict[bytes, Path] = {}
    for path in map(Path, paths):
        try:
            frames = read_output(path, structure=structure, left_out=rejected)
            found = [_label(frame, path, level, total_charge) for frame in frames]
        except DataError as error:
            if not skip_bad:
                raise
            rejected.append(f"{error.what} ({error.why})")
            continue
        for label in found:
            why = _refusal(label, max_residual_e) or _repeated(label, seen)
            if why is None:
                labels.append(label)
            else:
                step = f", structure {label.frame.index + 1}" if len(found) > 1 else ""
                rejected.append(f"{path.name}{step}: {why}")
    if not labels:
        raise DataError(
            f"none of {len(paths)} outputs gave labels: {'; '.join(rejected[:3])}",
            "there is nothing to write",
            "look at the outputs, or raise the limit of the residual",
        )
    target = Path(output)
    write_frames(target, [label.frame for label in labels])
    doubts = (*_mixed_corrections(labels), *label_doubts([label.frame for label in labels]))
    return Collection(target, tuple(labels), tuple(rejected), doubts)


def _mixed_corrections(labels: Sequence[CollectedLabel]) -> Iterator[str]:
    """Name elements that have several Hubbard corrections at what is called one level of theory."""
    from ase.data import chemical_symbols

    found: dict[tuple[str, str], dict[float, Path]] = {}
    for label in labels:
        level, words = str(label.frame.info["level"]), str(label.frame.info.get("hubbard_u_ev", "")).split()
        stated = {
            re.split(r"[^A-Za-z]", site)[0].capitalize(): float(value)
            for site, value in zip(words[::2], words[1::2], strict=False)
        }
        for number in {int(z) for z in label.frame.numbers}:
            symbol = chemical_symbols[number]
            found.setdefault((level, symbol), {}).setdefault(round(stated.get(symbol, 0.0), 4), label.path)
    for (level, symbol), paths in found.items():
        if len(paths) > 1:
            values = ", ".join(f"{value:g} eV ({path.name})" for value, path in sorted(paths.items()))
            yield (
                f"level {level!r} has several Hubbard corrections of {symbol}: {values}; charges differ by "
                "them: collect the outputs of each apart, with a level of its own"
            )


def _refusal(label: CollectedLabel, max_residual_e: float | None) -> str | None:
    """Say why a structure is left out; None if it is kept."""
    frame = label.frame
    arrays = (*frame.labels.values(), frame.positions_ang, frame.cell_ang)
    if not all(np.isfinite(array).all() for array in arrays):
        return "some of its tensors or atoms are no finite numbers"
    if not frame.labels[CHARGES].any():
        return "all tensors are exactly zero, which is the placeholder of a missing label"
    share = label.residual_e / label.frame.n_atoms
    if max_residual_e is not None and share > max_residual_e:
        return f"|ΣZ − Q|/N = {share:.4f} e (a denser k-mesh may help)"
    return None


def _repeated(label: CollectedLabel, seen: dict[bytes, Path]) -> str | None:
    """Say where the same label was already found, to the last digit; otherwise remember it."""
    frame = label.frame
    theory = {k: v for k, v in frame.info.items() if k not in ("source", "sha256", "structure_from")}
    arrays = (frame.numbers, frame.positions_ang, frame.cell_ang, frame.labels[CHARGES])
    parts = [np.ascontiguousarray(array).tobytes() for array in arrays]
    key = hashlib.sha256(b"".join([*parts, str(sorted(theory.items())).encode()])).digest()
    if key in seen:
        return f"the same structure and tensors as in {_short(seen[key])}; they count once"
    seen[key] = label.path
    return None


def _short(path: Path) -> str:
    """Name of a file with that of its folder, where the path has one."""
    return f"{path.parent.name}/{path.name}" if path.parent.name else path.name


def _label(frame: Frame, path: Path, level: str | None, total_charge: float | None) -> CollectedLabel:
    charge = frame.total_charge if total_charge is None else total_charge
    residual = float(np.abs(sum_rule_excess(frame.labels[CHARGES], charge)).max())
    functional = str(frame.info.get("functional", "unknown functional"))
    code = str(frame.info["code"])
    program = " ".join(word for word in code.split() if not word[0].isdigit())
    info: dict[str, Any] = {
        **frame.info,
        "level": level or f"{functional} {program}",
        "source": f"{code}, {_short(path)}",
        "sha256": file_hash(path)[:16],
        "sum_rule_residual_e": round(residual, 6),
    }
    return CollectedLabel(replace(frame, total_charge=charge, info=info), path, residual)
