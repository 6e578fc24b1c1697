"""Hyperparameters of the Z* network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class NetworkConfig(BaseModel):
    """Everything that fixes the shape of a network.

    Together with the weights this is the whole model: it is stored in the header of the model file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    elements: tuple[int, ...] = Field(min_length=1, description="atomic numbers that the network knows")
    levels: tuple[str, ...] = Field(min_length=1, description="levels of theory of the training labels")
    cutoff_ang: Annotated[float, Field(gt=0)] = 5.0
    l_max: Annotated[int, Field(ge=2, le=3)] = 2
    channels: Annotated[int, Field(ge=4)] = 32
    sent_tensor_channels: Annotated[int, Field(ge=0)] = 0
    layers: Annotated[int, Field(ge=1)] = 2
    radial_functions: Annotated[int, Field(ge=2)] = 8
    radial_width: Annotated[int, Field(ge=4)] = 64
    scalar_width: Annotated[int, Field(ge=4)] = 64
    readout: Literal["tensor", "polarization"] = "tensor"
    members: Annotated[int, Field(ge=1)] = 8
    mean_neighbors: Annotated[float, Field(gt=0)] = 50.0

    @model_validator(mode="after")
    def _one_member(self) -> NetworkConfig:
        if self.readout == "polarization" and self.members != 1:
            raise ValueError("readout polarization has no ensemble: give members: 1")
        return self
