"""What the attributes of a spectrum file have to hold; they are checked before anything of them is used."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from bec_md.schema import Positive
from bec_md.spectrum.errors.quality import Status


class Parameters(BaseModel):
    """How a spectrum was computed; only what other rooms rely on has a type."""

    model_config = ConfigDict(extra="allow")

    resolution_cm: Positive


class StoredPeak(BaseModel):
    """Numbers of a `Peak`; an unknown name is an error there."""

    model_config = ConfigDict(extra="forbid")

    wavenumber_cm: float
    wavenumber_err_cm: float
    height: float
    err: float
    width_cm: float
    natural_width_cm: float | None = None


class StoredCheck(BaseModel):
    """Content of a `QualityCheck`."""

    model_config = ConfigDict(extra="forbid")

    name: str
    value: float | list[float] | None
    threshold: str
    status: Status
    meaning: str
    advice: str


class SpectrumHeader(BaseModel):
    """The attributes as a whole."""

    temperature_k: Positive
    volume_ang3: Positive
    parameters: Parameters
    metadata: dict[str, Any]
    quality: list[StoredCheck]
    peaks: list[StoredPeak]
