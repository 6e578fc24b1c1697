"""Labels from other models: any number of structures for a network that learns from better, slower ones.

Hinton, Vinyals and Dean (2015) call it distillation. Labels of teachers have no noise of a calculation and
cost milliseconds, so that the pupil's error is that of the teachers and what its form cannot express.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase.cell import Cell
from numpy.typing import NDArray

from bec_md.errors import BecMDError, DataError, UsageError
from bec_md.files import in_words
from bec_md.structure import Frame
from bec_md.structure.ase_files import images
from bec_md.structure.from_ase import as_frame, number_of
from bec_md.structure.names import TOTAL_CHARGE_KEYS
from bec_md.training.config import Source
from bec_md.training.substitution import Substitution

if TYPE_CHECKING:
    from bec_md.network.predictor import BecModel


def read_geometries(path: Path, source: Source) -> list[Frame]:
    """Structures of any file that ASE reads, without labels."""
    try:
        found = list(images(path, slice(None)))
    except BecMDError:
        raise
    except Exception as error:  # ASE's readers raise whatever they meet
        raise DataError(
            f"{path}: ASE cannot read it ({in_words(error, path)})",
            "structures for a teacher come from a file that ASE reads",
            "convert it to extended XYZ",
        ) from None
    frames = []
    for index, atoms in enumerate(found):
        frame = replace(as_frame(atoms), index=index)
        if number_of(atoms.info, dict.fromkeys(TOTAL_CHARGE_KEYS, 1.0)) is None:
            frame = replace(frame, total_charge=source.total_charge or 0.0)
        frames.append(frame)
    return frames


def load_teacher(name_or_path: str, level: str, *, config_folder: Path) -> BecModel:
    """Return the teacher, at the level of theory of the file that it labels.

    Raises
    ------
    UsageError
        If there is no such model, or it does not know the level.
    """
    from bec_md.network.predictor import BecModel
    from bec_md.network.registry import model_beside

    return BecModel(model_beside(name_or_path, config_folder), level=level)


def displaced(frame: Frame, largest_ang: float, generator: np.random.Generator) -> Frame:
    """Copy with Gaussian displacements, whose standard deviation is drawn between 0 and `largest_ang`."""
    if largest_ang == 0.0:
        return frame
    width = generator.uniform(0.0, largest_ang)
    shift = generator.normal(0.0, width, frame.positions_ang.shape)
    return replace(frame, positions_ang=frame.positions_ang + shift)


def whole_cell(frame: Frame) -> NDArray[np.float64]:
    """Lattice vectors (3, 3), Å, with others of length 1 Å in place of those that are not there."""
    cell: Any = Cell
    return np.asarray(cell(frame.cell_ang).complete().array)


def fractional_motion(frames: Sequence[Frame], where: str) -> NDArray[np.float64]:
    """Fractional coordinates (F, N, 3) of frames of the same atoms, continuous from the first one on.

    Raises
    ------
    UsageError
        If the atoms differ, or there are fewer than three frames.
    """
    first = frames[0]
    if len(frames) < 3 or any(not np.array_equal(frame.numbers, first.numbers) for frame in frames):
        raise UsageError(
            f"the frames of {where} cannot be mixed",
            "that takes three or more frames of the same atoms in the same order",
            "leave out mix, or split the file by system",
        )
    scaled = np.stack([frame.positions_ang @ np.linalg.inv(whole_cell(frame)) for frame in frames])
    turns = np.round(scaled - scaled[0]) * first.pbc
    continuous: NDArray[np.float64] = scaled - turns
    return continuous


def mixed(
    index: int, frames: Sequence[Frame], motion: NDArray[np.float64], generator: np.random.Generator
) -> Frame:
    """Frame `index` turned towards another one about the mean: x̄ + cos θ (x₁ − x̄) + sin θ (x₂ − x̄)."""
    other = (index + generator.integers(1, len(frames))) % len(frames)
    angle = generator.uniform(0.0, np.pi / 2)
    mean = motion.mean(axis=0)
    scaled = mean + np.cos(angle) * (motion[index] - mean) + np.sin(angle) * (motion[other] - mean)
    return replace(frames[index], positions_ang=scaled @ whole_cell(frames[index]))


def taught(
    frames: Sequence[Frame],
    source: Source,
    teachers: Sequence[BecModel],
    *,
    seed: int,
    without: Collection[str] = (),
) -> list[Frame]:
    """Copies of the frames as the configuration asks, with the mean tensors and ε_∞ of the teachers.

    Parameters
    ----------
    frames, source, teachers
        Of one file.
    seed
        Of what is drawn.
    without
        Reduced formulas that are not made by exchanging elements.
    """
    generator = np.random.default_rng([seed, len(frames), source.copies])
    labelled = []
    for copy in _changed(frames, source, generator, without):
        answers = [teacher.predict_batch([copy], members=False) for teacher in teachers]
        tensors = np.array([answer.born_effective_charges[0] for answer in answers])  # (K, N, 3, 3)
        if source.agree_e is not None and _difference(tensors) > source.agree_e:
            continue
        eps_inf = np.mean([answer.eps_inf[0] for answer in answers], axis=0)
        labelled.append(
            copy.with_labels(
                born_effective_charges=tensors.mean(axis=0),
                eps_inf=eps_inf if np.isfinite(eps_inf).all() else None,
            )
        )
    return labelled


def _changed(
    frames: Sequence[Frame], source: Source, generator: np.random.Generator, without: Collection[str]
) -> Iterator[Frame]:
    """Mixed, exchanged and displaced copies."""
    motion = fractional_motion(frames, source.path) if source.mix else None
    exchange = Substitution.of(frames, source.path) if source.substitute else None
    for index, frame in enumerate(frames):
        for _ in range(source.copies):
            copy: Frame | None = frame if motion is None else mixed(index, frames, motion, generator)
            if exchange is not None:
                copy = exchange.exchanged(frame, generator, without)
            if copy is not None:
                yield displaced(copy, source.displace_ang, generator)


def _difference(tensors: NDArray[np.float64]) -> float:
    """Largest r.m.s. difference between the tensors (K, N, 3, 3) of two teachers, e."""
    pairs = itertools.combinations(tensors, 2)
    worst = max(float(np.sqrt(np.mean((a - b) ** 2))) for a, b in pairs)
    return worst if np.isfinite(worst) else np.inf
