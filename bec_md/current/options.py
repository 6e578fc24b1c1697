"""How a current is computed: every option once, with plain types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from bec_md.errors import UsageError

Interpolation = Literal["linear", "cubic"]


@dataclass(frozen=True)
class CurrentOptions:
    """Options of `compute_current`; every one may be left out.

    Parameters
    ----------
    charges
        Source of the tensors: ``"model"``, ``"file[:KEY]"``, ``"born:PATH"``, ``"fixed:Si=3.4,O=-1.7"``,
        ``"oxidation:Li=1,P=5,O=-2"``, an array (N, 3, 3), or an object with ``evaluate``.
    model
        Name, path or loaded model for ``charges="model"``; ``"auto"`` takes the bundled one that suits the
        elements.
    groups
        ``"species"``, ``"none"``, ``"atoms"``, ``"molecules"``, ``"layers:z:N"``, a mapping name → atoms, or
        the path of a file with one label per atom.
    charge_stride
        Evaluate the tensors every k-th frame and interpolate; the error is measured at held-out frames.
        ``"auto"`` takes the largest k that keeps the error of J below `charge_tolerance`.
    interpolation
        ``"cubic"`` or ``"linear"``.
    charge_tolerance
        Relative r.m.s. error of J allowed by ``charge_stride="auto"``.
    device, threads, batch
        Where the model runs, its threads, and how many frames it evaluates at once.
    """

    charges: Any = "model"
    model: Any = "auto"
    groups: str | Path | Mapping[Any, Any] | Any = "species"
    charge_stride: int | Literal["auto"] = 1
    interpolation: Interpolation = "cubic"
    charge_tolerance: float = 0.01
    device: str = "cpu"
    threads: int | None = None
    batch: int | None = None

    def changed(self, **changes: Any) -> CurrentOptions:
        """Return these options with some of them replaced.

        Raises
        ------
        UsageError
            For a name that is none of the options.
        """
        names = [item.name for item in fields(self)]
        for name in changes:
            if name not in names:
                close = get_close_matches(name, names, n=1)
                raise UsageError(
                    f"{name} is no option of a current",
                    f"these are {', '.join(names)}, and those of the trajectory",
                    f"use {close[0]}" if close else "leave it out",
                )
        return replace(self, **changes)

    def check(self) -> None:
        """Refuse what no computation could need.

        Raises
        ------
        UsageError
            With the name of the option and what it means.
        """
        for name, meaning in (
            ("batch", "at least one frame is evaluated at a time"),
            ("threads", "the model needs one at least"),
            ("charge_tolerance", "it is a relative error of J"),
        ):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UsageError(f"{name} {value}", meaning, "give a number above 0, or leave it out")
        if self.interpolation not in ("linear", "cubic"):
            raise UsageError(
                f"unknown interpolation {self.interpolation!r}",
                "tensors between evaluated frames are interpolated linearly or cubically",
                "use 'linear' or 'cubic'",
            )
        stride = self.charge_stride
        if stride != "auto" and (not isinstance(stride, int) or stride < 1):
            raise UsageError(
                f"charge_stride {stride!r}",
                "tensors are evaluated at every k-th frame",
                "give a whole number ≥ 1, or 'auto'",
            )
