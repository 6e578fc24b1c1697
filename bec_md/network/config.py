"""Hyperparameters of a network: its shape, and the properties that it is read out for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

#: Members of a shallow ensemble where the configuration does not say.
MEMBERS = 8
#: Read-outs that give Z*, themselves or by their derivative.
CHARGES = frozenset({"charges", "dipole"})


class ReadoutConfig(BaseModel):
    """One read-out: which property, and how many members its ensemble has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["charges", "dipole", "polarizability"]
    members: Annotated[int, Field(ge=1, le=1024)] = 1
    oxidation_numbers: dict[str, int] | None = Field(
        default=None,
        description="of the elements: charges that move with the atoms of a dipole, not fitted",
    )


class NetworkConfig(BaseModel):
    """Everything that fixes the shape of a network.

    Together with the weights this is the whole model: it is stored in the header of the model file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    elements: tuple[Annotated[int, Field(ge=1, le=118)], ...] = Field(
        min_length=1, max_length=118, description="atomic numbers that the network knows"
    )
    levels: tuple[str, ...] = Field(min_length=1, description="levels of theory of the training labels")
    cutoff_ang: Annotated[float, Field(gt=0, le=50, allow_inf_nan=False)] = 5.0
    l_max: Annotated[int, Field(ge=2, le=3)] = 2
    channels: Annotated[int, Field(ge=4, le=1024)] = 32
    sent_tensor_channels: Annotated[int, Field(ge=0, le=1024)] = 0
    layers: Annotated[int, Field(ge=1, le=32)] = 2
    radial_functions: Annotated[int, Field(ge=2, le=256)] = 8
    radial_width: Annotated[int, Field(ge=4, le=4096)] = 64
    scalar_width: Annotated[int, Field(ge=4, le=4096)] = 64
    readouts: tuple[ReadoutConfig, ...] = (
        ReadoutConfig(name="charges", members=MEMBERS),
        ReadoutConfig(name="polarizability"),
    )
    mean_neighbors: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 50.0

    @field_validator("elements")
    @classmethod
    def _each_once(cls, elements: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(elements)) < len(elements):
            raise ValueError(f"{', '.join(map(str, elements))}: each atomic number once")
        return elements

    @field_validator("readouts")
    @classmethod
    def _one_source_of_charges(cls, readouts: tuple[ReadoutConfig, ...]) -> tuple[ReadoutConfig, ...]:
        names = [item.name for item in readouts]
        if len(set(names)) < len(names) or len(CHARGES & set(names)) != 1 or "polarizability" not in names:
            source = " or ".join(sorted(CHARGES))
            raise ValueError(
                f"{', '.join(names) or 'none'}: each once; Z* comes from {source}, ε_∞ from polarizability"
            )
        return readouts

    @model_validator(mode="after")
    def _known_charges(self) -> NetworkConfig:
        from ase.data import atomic_numbers

        for item in self.readouts:
            if item.oxidation_numbers is None:
                continue
            if item.name != "dipole":
                raise ValueError(f"oxidation_numbers: only the read-out dipole has them, not {item.name}")
            given = {atomic_numbers.get(symbol, 0) for symbol in item.oxidation_numbers}
            if given != set(self.elements):
                raise ValueError(
                    f"oxidation_numbers {item.oxidation_numbers}: give one for each element of the network, "
                    f"atomic numbers {', '.join(map(str, self.elements))}"
                )
        return self

    @property
    def charges_from(self) -> ReadoutConfig:
        """The read-out that gives Z*, itself or by its derivative."""
        return next(item for item in self.readouts if item.name in CHARGES)


def readouts(charges: str, members: int = MEMBERS) -> list[dict[str, Any]]:
    """Hyperparameter `readouts` of a network for Z*, by way of ``charges`` or ``dipole``, and ε_∞."""
    return [{"name": charges, "members": members}, {"name": "polarizability"}]


def upgraded(config: Mapping[str, Any]) -> dict[str, Any]:
    """Hyperparameters of schema 1, with `readout` and `members`, as those of schema 2; others as they are."""
    new = dict(config)
    kinds = {None: "charges", "tensor": "charges", "polarization": "dipole"}
    if "readouts" in new or not {"readout", "members"} & new.keys() or new.get("readout") not in kinds:
        return new
    name, members = kinds[new.pop("readout", None)], new.pop("members", None)
    default = MEMBERS if name == "charges" else 1
    return new | {"readouts": readouts(name, default if members is None else members)}
