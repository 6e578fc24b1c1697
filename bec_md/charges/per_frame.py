"""Tensors stored frame by frame in the trajectory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bec_md.charges.source import ChargeBatch, ChargeSource, digest
from bec_md.errors import DataError

if TYPE_CHECKING:
    from bec_md.structure import Frame


@dataclass(frozen=True)
class FrameCharges:
    """The ``born_effective_charges`` that the trajectory itself carries.

    Parameters
    ----------
    key
        Name of the column in the file, when it is not one of the usual ones.
    """

    key: str | None = None
    fingerprint: str = field(init=False)
    constant: bool = field(init=False, default=False)
    notes: tuple[str, ...] = field(init=False, default=())
    follows_positions = False  # the tensors of a frame stay what they are when its atoms are moved

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", digest("file", self.key))

    @property
    def name(self) -> str:
        """How the source is called."""
        return "file" if self.key is None else f"file:{self.key}"

    def prepare(self, frame: Frame) -> ChargeSource:
        """Check that the first frame carries tensors."""
        self.evaluate([frame])
        return self

    def evaluate(self, frames: Sequence[Frame]) -> ChargeBatch:
        """Return the tensors of these frames; every frame must carry them."""
        for frame in frames:
            tensors = frame.born_effective_charges
            if tensors is None:
                column = f"column {self.key!r}" if self.key else "column born_effective_charges"
                raise DataError(
                    f"frame {frame.index} carries no Born effective charges ({column})",
                    "`charges=file` takes the tensors from the trajectory, frame by frame",
                    "name the column with `charges=file:KEY`, or use `charges=model`",
                )
            if not np.isfinite(tensors).all():
                atom = int(np.argmin(np.isfinite(tensors).all(axis=(1, 2))))
                raise DataError(
                    f"the Born effective charge of atom {atom} in frame {frame.index} is not finite",
                    "one NaN spoils the spectrum",
                    "correct that frame, or cut it off with `start`/`stop`",
                )
        return ChargeBatch(np.stack([np.asarray(f.born_effective_charges, dtype=np.float64) for f in frames]))
