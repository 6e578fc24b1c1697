"""What every source of Born effective charges offers to the current."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from bec_md.arrays import Array, ByFrame

if TYPE_CHECKING:
    from bec_md.structure import Frame


@dataclass(frozen=True, repr=False)
class ChargeBatch(ByFrame):
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


class ChargeSource(Protocol):
    """A source of tensors: frames in, Z out.

    A source that works beside the host may have a method `submit` as well, which takes frames and returns
    them `Pending`, without waiting. One whose tensors derive from a polarization has `along_velocities`; see
    `derivative_of`.
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


def derivative_of(source: ChargeSource) -> Any:
    """Return the source that gives J as one derivative along velocities, by its method `along`.

    None where only tensors give it.
    """
    along = getattr(source, "along_velocities", None)
    found = source if along is None else along()
    return None if found is source else found


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
