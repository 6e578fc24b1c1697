"""Load a model; the one place where ``auto`` decides which.

A specialized model is taken where its card's domain holds the elements of all structures *and* its own
calibrated uncertainty says that it knows structures like these: elements alone do not tell quartz from a
silicate glass at half the volume.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.errors import UsageError
from bec_md.files import expanded, is_file
from bec_md.network.familiarity import Doubt
from bec_md.network.predictor import BecModel, EngineName
from bec_md.network.registry import FALLBACK, choose_model, model_path
from bec_md.network.second_opinion import familiarity_of
from bec_md.structure.from_ase import as_frame

if TYPE_CHECKING:
    from ase import Atoms

    from bec_md.network.torch_engine import Precision
    from bec_md.structure import Frame

#: Structures whose uncertainty is looked at, evenly among those given; of each set of elements the first.
SAMPLED = 8
#: Change of a cell, of its longest vector, up to which a structure may be the same material.
SAME_CELL = 0.05


def load_model(
    name_or_path: str | Path = "auto",
    *,
    device: str = "cpu",
    engine: EngineName = "auto",
    threads: int | None = None,
    structures: Sequence[Frame | Atoms] | None = None,
    level: str | None = None,
    precision: Precision = "float32",
) -> BecModel:
    """Load a bundled model by name, or a model file by path.

    ``NAME@LEVEL`` names the level of theory too, e.g. ``universal@rpbe-d3``.

    ``auto`` needs structures of the system and takes the specialized model in whose domain they lie, else the
    universal one; `BecModel.reason` says which and why.

    Parameters
    ----------
    name_or_path
        ``"auto"``, a name that `bec-md models` lists, or a model file.
    structures
        What the model shall predict, for ``"auto"``: the first frame of a trajectory, or different crystals.
    device, engine, threads, level, precision
        As in `BecModel`.

    Returns
    -------
    BecModel
        Ready to predict.

    Raises
    ------
    UsageError
        For a name that is not known, ``"auto"`` without structures, or a level or device that is not there.
    DataError
        If the file is damaged or no model.
    """
    named, (name_or_path, stated) = name_or_path, name_and_level(name_or_path)
    if stated and level and stated != level:
        raise UsageError(
            f"model {str(named)!r} beside `level={level!r}`",
            "tensors are those of one level of theory",
            "leave out one of the two",
        )
    options = {
        "device": device,
        "engine": engine,
        "threads": threads,
        "level": stated or level,
        "precision": precision,
    }
    if name_or_path == "auto":
        if not structures:
            raise UsageError(
                "model 'auto' needs to know the structures",
                "it takes the bundled model in whose domain they lie",
                "give `structures=[atoms]`, or name a model (`bec-md models`)",
            )
        return _fitting([as_frame(item) for item in structures], options)
    return _loaded(name_or_path, "named", options)


def name_and_level(name_or_path: str | Path) -> tuple[str, str | None]:
    """Return the parts of ``NAME@LEVEL``; no level where none is named, or where a file has that name."""
    text = str(name_or_path)
    name, _, level = text.rpartition("@")
    path = is_file(expanded(text)) or ("/" in level and not is_file(expanded(name)))  # of a folder a@b
    return (name, level or None) if "@" in text and not path else (text, None)


class SuitableModel:
    """A network for one structure after another; each of another material decides what ``"auto"`` is.

    Parameters
    ----------
    model
        A loaded model, or the name or path of one.
    options
        Of `load_model`.
    """

    def __init__(self, model: BecModel | str | Path, options: Mapping[str, Any]) -> None:
        self._given, self._options = model, options
        self._model = model if isinstance(model, BecModel) else None
        self._auto = not isinstance(model, BecModel) and name_and_level(model)[0] == "auto"
        self._decided: Frame | None = None  # the structure for which the model was taken

    def of(self, structure: Frame | Atoms) -> BecModel:
        """Return the model for a structure, loaded where it is needed."""
        frame = as_frame(structure)
        another = self._auto and not one_material(frame, self._decided)
        if self._model is None or another:
            self._model = load_model(self._given, structures=[frame], **self._options)  # type: ignore[arg-type]
            self._decided = frame
        return self._model


def one_material(frame: Frame, other: Frame | None) -> bool:
    """Whether two structures may be of one material: the same atoms, in cells that heat may connect."""
    if other is None or not np.array_equal(frame.numbers, other.numbers):
        return False
    change = np.abs(frame.cell_ang - other.cell_ang).max()
    return bool(change <= SAME_CELL * np.abs(other.cell_ang).max())


def _loaded(name_or_path: str | Path, reason: str, options: dict[str, Any]) -> BecModel:
    model = BecModel(model_path(name_or_path), **options)
    model.reason = reason
    return model


def _fitting(structures: Sequence[Frame], options: dict[str, Any]) -> BecModel:
    """Return the specialized model that knows all these structures, else the universal one."""
    present = {int(number) for frame in structures for number in frame.numbers}
    name, reason = choose_model(present, options["level"])
    model = _loaded(name, reason, options)
    if name == FALLBACK:
        return model
    for index in sampled(structures):
        if leaves_domain(model, structures[index]):
            which = "the first frame" if index == 0 else f"structure {index + 1} of {len(structures)}"
            return _loaded(FALLBACK, f"{which} lies outside the domain of {name}", options)
    return model


def sampled(structures: Sequence[Frame]) -> list[int]:
    """Indices of the first structure of each set of elements, and of some evenly among all."""
    even = np.linspace(0, len(structures) - 1, min(SAMPLED, len(structures))).astype(int)
    kinds: dict[frozenset[int], int] = {}
    for index, frame in enumerate(structures):
        kinds.setdefault(frozenset(frame.numbers.tolist()), index)
    return sorted({*even.tolist(), *kinds.values()})


def leaves_domain(model: BecModel, frame: Frame) -> bool:
    """Whether the mean uncertainty of a model over the atoms of a structure is above what its card allows."""
    known = familiarity_of(model, frame)
    return known.outside(Doubt.of(model.predict_batch([frame]).uncertainty_e))
