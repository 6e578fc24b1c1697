"""A second opinion: the tensors of another model, which has learned from the same data in another way.

The members of one network share its state and are wrong together; two networks of different kinds, tensors
and the derivative of a polarization, are wrong differently. On compositions that neither has seen their
difference tells more of the error than the spread of members does (docs/accuracy.md).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.network.familiarity import Doubt, Familiarity
from bec_md.network.oddities import oddities
from bec_md.network.predictor import BecModel, Prediction
from bec_md.network.registry import model_path
from bec_md.network.vacuum import open_remark
from bec_md.structure import Frame


class Stated(Protocol):
    """What is needed of the model that is doubted."""

    card: dict[str, Any]
    level: str


def rms_difference(tensors: Array, others: Array, frame: NDArray[np.int64]) -> Array:
    """R.m.s. difference of tensors over the components of each structure, e.

    Parameters
    ----------
    tensors, others
        (N, 3, 3) of all atoms of all structures, e.
    frame
        (N,) structure of each atom.
    """
    squares = ((tensors - others) ** 2).mean(axis=(1, 2))
    return np.asarray(np.sqrt(np.bincount(frame, weights=squares) / np.bincount(frame)))


def second_difference(model: Stated, frame: Frame, tensors: Array) -> Doubt | None:
    """R.m.s. difference of a structure's tensors from those of the model that the card names.

    None if the card names none, or that one does not know an element or the level of theory.
    """
    named = (getattr(model, "card", {}).get("second_opinion") or {}).get("model")
    if named is None:
        return None
    second = _second(named, model.level)
    if second is None or not {int(n) for n in frame.numbers} <= set(second.elements):
        return None
    others = second.predict_batch([frame], members=False).born_effective_charges[0]
    return Doubt.of(rms_difference(tensors, np.asarray(others), np.arange(len(tensors))), power=2)


def familiarity_of(model: Stated, frame: Frame) -> Familiarity:
    """What the card of a model says of the elements of a structure."""
    return Familiarity.of(getattr(model, "card", {}), [chemical_symbols[int(n)] for n in frame.numbers])


def remarks_on(model: Stated, frame: Frame, prediction: Prediction) -> list[str]:
    """Sentences about rare elements, an odd structure, and one that lies outside the domain."""
    known = familiarity_of(model, frame)
    tensors = np.asarray(prediction.born_effective_charges[0])
    spread = Doubt.of(prediction.uncertainty_e[0])
    outside = known.outside(spread, second_difference(model, frame, tensors))
    odd = open_remark(frame), *oddities(known.model, frame)
    found = (known.remark, *odd, known.outside_remark(1, 1) if outside else None)
    return [remark for remark in found if remark]


@lru_cache(maxsize=2)
def _second(name: str, level: str) -> BecModel | None:
    """Return the other model at the same level of theory, once per process."""
    from bec_md.network.model_file import read_header

    path: Path = model_path(name)
    return BecModel(path, level=level) if level in read_header(path)["config"]["levels"] else None
