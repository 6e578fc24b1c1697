"""Check what the header of a file says against a schema, and say in one way what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, ValidationError

from bec_md.errors import DataError

Schema = TypeVar("Schema", bound=BaseModel)
#: Numbers as headers hold them.
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


def checked(schema: type[Schema], values: Mapping[str, Any], place: str, fix: str) -> Schema:
    """Values of a header as an instance of its schema.

    Parameters
    ----------
    schema
        What every value has to be; fields that it does not know are left alone.
    values
        Values by name.
    place
        File, for the message.
    fix
        What to do about it.

    Raises
    ------
    DataError
        With the name of the first value that is wrong, the value, and what it should be.
    """
    try:
        return schema.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "header"
        found = repr(first.get("input"))
        found = found if len(found) <= 60 else f"{found[:57]}..."
        message = str(first["msg"])
        raise DataError(f"{place}: {name} is {found}", message[:1].lower() + message[1:], fix) from None
