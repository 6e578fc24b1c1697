"""What every source of Born effective charges offers to the current."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import brief_repr

if TYPE_CHECKING:
    from bec_md.structure import Frame

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ChargeBatch:
    r"""Born effective charges of F frames, as the source gives them (no further sum-rule correction).

    Parameters
    ----------
    born_effective_charges
        (F, N, 3, 3), e; ``Z[f, i, a, b]`` = :math:`\partial M_a / \partial u_{ib}`.
    uncertainty_e
        (F, N) standard uncertainty of the components of each tensor, e, when the source knows it.
    members
        (F, M, N, 3, 3) tensors of the members of an ensemble of models, e, when there are several.
    eps_inf
        (F, 3, 3) electronic permittivity, when the source predicts it.
    """

    born_effective_charges: Array
    uncertainty_e: Array | None = None
    members: Array | None = None
    eps_inf: Array | None = None

    __repr__ = brief_repr


class PendingCharges:
    """Tensors whose evaluation was started; `result` waits for them."""

    def __init__(self, finish: Callable[[], ChargeBatch]) -> None:
        self._finish = finish

    def result(self) -> ChargeBatch:
        """Return the tensors; to be called once."""
        return self._finish()


class ChargeSource(Protocol):
    """A source of tensors: frames in, Z out.

    A source that works beside the host may have a method `submit` as well, which takes frames and returns
    `PendingCharges` without waiting.
    """

    @property
    def name(self) -> str:
        """How the source is called in messages and results."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of everything that determines its numbers; keys the resumable current file."""
        ...

    @property
    def constant(self) -> bool:
        """Whether Z is the same in every frame."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user: how tensors were mapped, what was assumed."""
        ...

    def prepare(self, frame: Frame) -> ChargeSource:
        """Return the source bound to a system, given the first frame of its trajectory."""
        ...

    def evaluate(self, frames: Sequence[Frame]) -> ChargeBatch:
        """Return the tensors of these frames."""
        ...


def digest(*parts: object) -> str:
    """Return a hash of strings, numbers and arrays that is the same on every machine."""
    state = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            state.update(str(part.shape).encode())
            state.update(np.ascontiguousarray(part, dtype="<f8").tobytes())
        else:
            state.update(repr(part).encode())
        state.update(b"\x00")
    return state.hexdigest()[:32]
