"""Tensors predicted by a network."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bec_md.arrays import Array
from bec_md.charges.source import ChargeBatch, ChargeSource
from bec_md.errors import DataError
from bec_md.network.familiarity import Doubt, Familiarity
from bec_md.network.loading import name_and_level
from bec_md.network.oddities import oddities
from bec_md.network.second_opinion import familiarity_of, second_difference
from bec_md.pending import Pending

if TYPE_CHECKING:
    from pathlib import Path

    from bec_md.network import BecModel
    from bec_md.network.predictor import PredictedCurrent
    from bec_md.structure import Frame


class ModelCharges:
    """A network as a source of tensors; loaded when it is first used, once per process.

    Parameters
    ----------
    model
        A loaded model, or the name or path of one; what ``"auto"`` is, the first frame decides.
    device, threads
        Where to evaluate; see `bec_md.network.load_model`.
    """

    constant = False

    def __init__(
        self,
        model: BecModel | str | Path = "auto",
        *,
        device: str = "cpu",
        threads: int | None = None,
    ) -> None:
        self._spec: dict[str, Any] | None = None
        self._model: Any = model
        if not hasattr(model, "predict_batch"):
            self._spec = dict(zip(("name_or_path", "level"), name_and_level(str(model)), strict=True))
            self._model = None
        elif hasattr(model, "path") and hasattr(model, "level"):  # other processes load it again
            self._spec = {"name_or_path": str(model.path), "level": model.level}
        if self._spec is not None:
            self._spec |= {"device": device, "threads": threads}
        self._lean = False  # tensors of the mean of the members alone
        self._familiarity: Familiarity | None = None  # of the first frame
        self._remarks: tuple[str, ...] = ()  # about it
        #: (3, 3) of another model by the atoms they are for; None where the model has its own.
        self._eps_inf: dict[bytes, NDArray[np.float64] | None] | None = None

    @property
    def model(self) -> BecModel:
        """The loaded model."""
        if self._model is None:
            from bec_md.network import load_model

            self._model = load_model(**(self._spec or {}))
        return self._model  # type: ignore[no-any-return]

    @property
    def name(self) -> str:
        """How the source is called."""
        return f"model {self.model.name}"

    @property
    def fingerprint(self) -> str:
        """Hash of the model's weights and configuration."""
        return self.model.fingerprint

    @property
    def details(self) -> dict[str, Any]:
        """What the result records about the model."""
        return {
            "model": self.model.name,
            "model_hash": self.model.fingerprint,
            "model_chosen": getattr(self.model, "reason", ""),
            "uncertainty_scale": getattr(self.model, "calibration", 1.0),
            "domain_uncertainty_e": self._familiarity.limit_e if self._familiarity else None,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for the user."""
        found = list(self._remarks)
        if self._eps_inf is not None:
            found.append(
                "ε∞ is that of the universal model at the first frame of the same atoms: "
                f"{self.model.name} was trained without ε∞"
            )
        return tuple(found)

    def prepare(self, frame: Frame) -> ChargeSource:
        """Load the model, check that it knows the elements, and find ε∞ where it was trained without."""
        from ase.data import chemical_symbols

        if self._spec is not None and self._spec["name_or_path"] == "auto":
            self._decide(frame)
        unknown = sorted({int(n) for n in frame.numbers} - {int(n) for n in self.model.elements})
        if unknown:
            atom = int(np.flatnonzero(np.isin(frame.numbers, unknown))[0])
            raise DataError(
                f"{self.name} does not know {', '.join(chemical_symbols[n] for n in unknown)} (atom {atom})",
                "it was not trained on this element",
                "choose another model (bec-md models lists them) or give tensors with `charges`",
            )
        self._familiarity = familiarity_of(self.model, frame)
        self._remarks = self._doubts(self._familiarity, frame)
        if not getattr(self.model, "predicts_eps_inf", True):
            own = _universal_eps_inf(frame)
            self._eps_inf = None if own is None else {frame.numbers.tobytes(): own}
        return self

    def _doubts(self, known: Familiarity, frame: Frame) -> tuple[str, ...]:
        """Sentences about rare elements, an odd first frame, and a part of it that is doubted.

        What the model is unsure of as a whole is a check of the result.
        """
        part = None
        if known.second:
            tensors = self.model.predict_batch([frame], members=False).born_effective_charges[0]
            part = known.contradiction(second_difference(self.model, frame, np.asarray(tensors)))
        elif known.parts:
            part = known.unsure(Doubt.of(self.model.predict_batch([frame]).uncertainty_e[0]))
        remarks = known.remark, *oddities(known.model, frame), part
        return tuple(text for text in remarks if text)

    def _decide(self, frame: Frame) -> None:
        """Take the model that suits the first frame, here and in the processes this source is sent to."""
        from bec_md.network import load_model

        spec = self._spec or {}
        self._model = load_model(**spec, structures=[frame])
        self._spec = {**spec, "name_or_path": self._model.path}

    def along_velocities(self) -> ModelCharges:
        """Return the source for a current at every frame.

        Where Z* derives from a polarization, also in part, one derivative along the velocities stands for its
        tensors: `along` gives J, those of the members, and P if there is one. The tensors and the uncertainty
        of this source are those of the first frame of each call, and stand for the others (f-sum rule, charge
        sums).
        """
        if getattr(self.model, "charges_from", "charges") == "charges":
            return self
        lean = copy(self)
        lean._lean = True
        return lean

    def along(
        self,
        frames: Sequence[Frame],
        velocities: NDArray[np.float64],
        groups: NDArray[np.int64] | None = None,
    ) -> PredictedCurrent | None:
        """dP/dt of groups (N,) of atoms along velocities (F, N, 3), and P; None where tensors give it."""
        return self.model.current(frames, velocities, groups) if self._lean else None

    def ionic_charges(self, frame: Frame) -> Array:
        """Charges that move with the atoms, (N,) e; see `bec_md.network.BecModel.ionic_charges`."""
        return self.model.ionic_charges(frame)

    def evaluate(self, frames: Sequence[Frame]) -> ChargeBatch:
        """Predict the tensors of these frames."""
        if self._lean:
            return self.submit(frames).result()
        return self._batch(frames, self.model.predict_batch(frames))

    def submit(self, frames: Sequence[Frame]) -> Pending[ChargeBatch]:
        """Start to predict the tensors of these frames; a GPU works while the host prepares the next ones."""
        if self._lean:
            first = self.model.submit(frames[:1])
            return Pending(lambda: self._held(self._batch(frames[:1], first.result()), len(frames)))
        if not hasattr(self.model, "submit"):
            return Pending(lambda: self.evaluate(frames))
        pending = self.model.submit(frames)
        return Pending(lambda: self._batch(frames, pending.result()))

    @staticmethod
    def _held(first: ChargeBatch, n_frames: int) -> ChargeBatch:
        """Let the tensors of one frame stand for the frames that follow it."""
        return replace(first, members=None).map(
            lambda values: np.broadcast_to(values, (n_frames, *values.shape[1:]))
        )

    def _batch(self, frames: Sequence[Frame], prediction: Any) -> ChargeBatch:
        tensors = np.asarray(prediction.born_effective_charges, dtype=np.float64)
        if not np.isfinite(tensors).all():
            where = int(np.argmin(np.isfinite(tensors).reshape(len(frames), -1).all(axis=1)))
            raise DataError(
                f"{self.name} gives non-finite tensors in frame {frames[where].index}",
                "atoms may lie on top of each other, or positions may be corrupt",
                "look at that frame, or cut it off with `start`/`stop`",
            )
        members = _several(getattr(prediction, "members", None))
        spread = getattr(prediction, "uncertainty_e", None)
        return ChargeBatch(
            tensors,
            None if members is None and hasattr(prediction, "members") else spread,
            members,
            self._eps_inf_of(prediction, frames),
        )

    def _eps_inf_of(self, prediction: Any, frames: Sequence[Frame]) -> NDArray[np.float64] | None:
        """(F, 3, 3) of the model itself, of the universal one, or nothing."""
        if self._eps_inf is not None:
            atoms = frames[0].numbers.tobytes()
            if atoms not in self._eps_inf:  # single structures, of other atoms than the first
                self._eps_inf[atoms] = _universal_eps_inf(frames[0])
            known = self._eps_inf[atoms]
            return None if known is None else np.broadcast_to(known, (len(frames), 3, 3))
        own = getattr(prediction, "eps_inf", None)
        return None if own is None or np.isnan(own).any() else own

    def __getstate__(self) -> dict[str, Any]:
        """A loaded model is not sent to other processes when its name suffices to load it there."""
        state = dict(self.__dict__)
        if self._spec is not None:
            state["_model"] = None
            if self._model is not None and not self._model.path.is_absolute():  # there is another folder
                state["_spec"] = self._spec | {
                    "name_or_path": str(self._model.path.absolute()),
                    "level": self._model.level,
                }
        return state


def _universal_eps_inf(frame: Frame) -> NDArray[np.float64] | None:
    """ε∞ of the bundled universal model, (3, 3), or None if it does not know the elements."""
    from bec_md.network import load_model

    universal = load_model("universal")
    if not {int(number) for number in frame.numbers} <= set(universal.elements):
        return None
    return np.asarray(universal.predict_batch([frame]).eps_inf[0])


def _several(members: Any) -> Any:
    """Return the members of an ensemble; a single one says nothing more than the mean."""
    return None if members is None or members.shape[1] < 2 else members
