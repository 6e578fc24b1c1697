"""What the header of a current file has to hold; it is checked before anything of it is used."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, Field, model_validator

from bec_md.current.fields import Scheme
from bec_md.errors import DataError
from bec_md.schema import Finite, Positive, checked

#: Attribute of the file that holds it.
HEADER = "bec_md_current"
#: Version of the layout of the file; 1 lacked most options in its key.
SCHEMA = 2
_FIX = "copy the file again, or compute the current anew"

NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
Tensors = list[list[list[Finite]]]


class System(BaseModel):
    """What is the same in all rows, by the names of `bec_md.current.fields.CurrentData`."""

    groups: Annotated[list[str], Field(min_length=1)]
    timestep_fs: Positive
    scheme: Scheme
    group_mass_amu: list[NotNegative]
    group_count: list[Count]
    group_inverse_mass: list[NotNegative]
    group_free: list[Count] | None = None
    anchored: bool = False
    total_charge_e: Finite
    start_time_fs: Finite
    volume_ang3: Positive | None = None
    numbers: list[Annotated[int, Field(ge=0, le=118)]] | None = None

    @model_validator(mode="after")
    def _fits(self) -> System:
        for name in ("group_mass_amu", "group_count", "group_inverse_mass", "group_free"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.groups):
                raise ValueError(f"{name} has {len(values)} numbers for {len(self.groups)} groups")
        if not sum(self.group_mass_amu) > 0 or not sum(self.group_inverse_mass) > 0:
            raise ValueError("no group has a mass")
        return self


class StoredAverages(BaseModel):
    """Numbers of `bec_md.current.averages.Averages`."""

    zz_over_mass: Tensors | None = None
    mass_terms: Tensors | None = None
    kinetic_energy_ev: list[Finite] | None = None
    com_speed2: NotNegative | None = None
    excess2_e2: NotNegative | None = None


class StoredStructure(BaseModel):
    """Numbers of `bec_md.trajectory.mean_structure.MeanStructure`."""

    cell_ang: list[list[Finite]]
    positions_ang: list[list[Finite]]
    numbers: list[Annotated[int, Field(ge=0, le=118)]]
    halves_ang: NotNegative
    spread: NotNegative
    frames: Count

    @model_validator(mode="after")
    def _fits(self) -> StoredStructure:
        if len(self.cell_ang) != 3 or any(len(row) != 3 for row in (*self.cell_ang, *self.positions_ang)):
            raise ValueError("a mean structure whose vectors are not three numbers")
        if len(self.positions_ang) != len(self.numbers) or not self.numbers:
            raise ValueError(f"{len(self.positions_ang)} positions of {len(self.numbers)} atoms")
        return self


class Header(BaseModel):
    """The header as a whole."""

    layout: Annotated[int, Field(alias="schema", ge=1)] = 1
    key: dict[str, Any]
    system: System
    metadata: dict[str, Any]
    input: dict[str, Any] | None = None
    complete: bool = True
    averages: StoredAverages | None = None
    mean_structure: StoredStructure | None = None

    @model_validator(mode="after")
    def _fits(self) -> Header:
        known, groups = self.averages or StoredAverages(), len(self.system.groups)
        for values in (known.zz_over_mass, known.mass_terms, known.kinetic_energy_ev):
            if values is not None and len(values) != groups:
                raise ValueError(f"averages of {len(values)} groups for {groups}")
        for tensors in (known.zz_over_mass, known.mass_terms):
            if any(len(tensor) != 3 or any(len(row) != 3 for row in tensor) for tensor in tensors or []):
                raise ValueError("averages that are no 3 × 3 tensors")
        return self


def parse_header(text: Any, place: str, fix: str = _FIX) -> dict[str, Any]:
    """Return the header in a text, as it was written.

    Parameters
    ----------
    text
        JSON.
    place
        File, for the message.
    fix
        What to do if it is damaged.

    Raises
    ------
    DataError
        If it is no header of a current, or one of a newer version.
    """
    try:
        header = json.loads(str(text))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{place}: its header is damaged ({error})", "it says what the rows were computed from", fix
        ) from error
    if not isinstance(header, dict):
        raise DataError(f"{place}: its header is {header!r:.60}", "it is a table of names and values", fix)
    layout = header.get("schema", SCHEMA)
    if isinstance(layout, int) and layout > SCHEMA:
        raise DataError(
            f"{place} was written by a newer bec-md (layout {layout}, this one reads {SCHEMA})",
            "its fields may mean something else",
            "install the newer version, or compute the current anew",
        )
    checked(Header, header, place, fix)
    return header
