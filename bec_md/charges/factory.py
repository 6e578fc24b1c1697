"""From the words that name a source of tensors to the source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bec_md.arrays import brief
from bec_md.charges.constant import ConstantCharges, fixed_charges, oxidation_numbers
from bec_md.charges.per_frame import FrameCharges
from bec_md.charges.source import ChargeSource
from bec_md.errors import UsageError

if TYPE_CHECKING:
    from bec_md.trajectory.frame import TrajectoryInfo

#: The forms of `charges`, for messages and help.
FORMS = "model, file[:KEY], born:PATH[,STRUCTURE], fixed:Si=3.4,O=-1.7 or oxidation:Li=1,P=5,O=-2"


def make_charge_source(
    spec: Any,
    *,
    info: TrajectoryInfo,
    model: Any = "auto",
    device: str = "cpu",
    threads: int | None = None,
    total_charge: float = 0.0,
) -> ChargeSource:
    """Return the source of tensors that a specification names.

    Parameters
    ----------
    spec
        ``"model"``, ``"file[:KEY]"``, ``"born:PATH[,STRUCTURE]"``, ``"fixed:Si=3.4,O=-1.7"``,
        ``"oxidation:Li=1,P=5,O=-2"``; or an array (N, 3, 3), a mapping element → scalar, or anything with
        ``evaluate``.
    info
        The trajectory.
    model
        Name, path or loaded model for ``"model"``.
    device, threads
        For the model.
    total_charge
        Net charge of the cell, e, that oxidation numbers have to add up to.

    Returns
    -------
    ChargeSource
        Not yet bound to a system, see `ChargeSource.prepare`.

    Raises
    ------
    UsageError
        If the specification is not understood, or a model is given that it does not use.
    """
    if not isinstance(spec, str):
        return _from_object(spec, info)
    kind, _, rest = spec.partition(":")
    if kind == "model" and not rest:
        from bec_md.charges.model import ModelCharges

        return ModelCharges(model, device=device, threads=threads)
    refuse_unused_model(spec, model)
    if kind == "file":
        return FrameCharges(rest or None)
    if kind == "born" and rest:
        from bec_md.charges.born import born_charges

        return born_charges(rest)
    if kind in ("fixed", "oxidation") and rest:
        charges = parse_scalars(rest, kind)
        return (
            fixed_charges(charges, info)
            if kind == "fixed"
            else oxidation_numbers(charges, info, total_charge)
        )
    raise UsageError(
        f"`charges={spec}` is not understood",
        "it names the source of the Born effective charges",
        f"use one of: {FORMS}",
    )


def refuse_unused_model(spec: str, model: Any) -> None:
    """Refuse a model beside a source of tensors that is another one.

    Raises
    ------
    UsageError
        If one is given.
    """
    if spec != "model" and not (isinstance(model, str) and model == "auto"):
        raise UsageError(
            f"`model={brief(model)}` with `charges={spec}`",
            "the tensors do not come from a model then",
            "leave out one of the two",
        )


def charges_key(spec: Any) -> str | None:
    """Return KEY of ``"file:KEY"``, which the trajectory reader needs to know."""
    if isinstance(spec, FrameCharges):
        return spec.key
    kind, _, rest = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    return rest or None if kind == "file" else None


def parse_scalars(text: str, kind: str) -> dict[str, float]:
    """Read ``Si=3.4,O=-1.7``."""
    charges: dict[str, float] = {}
    for item in text.split(","):
        symbol, separator, value = item.strip().partition("=")
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not separator or not np.isfinite(number):
            raise UsageError(
                f"{item!r} in `charges={kind}:{text}` is not ELEMENT=CHARGE",
                "scalar charges are given per element, separated by commas",
                f"write for example {kind}:Si=4,O=-2",
            )
        if symbol in charges:
            raise UsageError(
                f"{symbol} occurs twice in `charges={kind}:{text}`",
                "an element has one charge",
                "give each element once",
            )
        charges[symbol] = number
    return charges


def _as_array(spec: Any) -> Any:
    """Lists as an array; what is none, with rows of several lengths, as one without a shape."""
    try:
        return np.array(spec, dtype=np.float64)
    except (TypeError, ValueError):
        return np.empty(0)


def _from_object(spec: Any, info: TrajectoryInfo) -> ChargeSource:
    if hasattr(spec, "evaluate") and hasattr(spec, "prepare"):
        return spec  # type: ignore[no-any-return]
    if hasattr(spec, "predict_batch"):
        from bec_md.charges.model import ModelCharges

        return ModelCharges(spec)
    if isinstance(spec, Mapping):
        return fixed_charges(spec, info)
    if isinstance(spec, np.ndarray | list | tuple):
        return ConstantCharges(spec if isinstance(spec, np.ndarray) else _as_array(spec))
    raise UsageError(
        f"`charges={brief(spec)}` is not a source of Born effective charges",
        "tensors come from a model, a file, an array (N, 3, 3) or scalars per element",
        f"give an object with evaluate(frames), or text: {FORMS}",
    )
