"""Options that several commands share: declared once, as fields of the dataclasses that take them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any, get_type_hints

Command = Callable[..., None]


def with_options(*kinds: type, without: tuple[str, ...] = ()) -> Callable[[Command], Command]:
    """Give a command the options that dataclasses declare.

    A field annotated ``Annotated[type, typer.Option(...)]`` with a default is an option of its name; one that
    several of them have is one option. The command declares what is its own, and takes the rest as keywords.

    Parameters
    ----------
    *kinds
        Dataclasses; their options are shown in this order, after the command's own.
    without
        Fields that this command does not offer: they keep their defaults.
    """
    shared = {
        field.name: inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=get_type_hints(kind, include_extras=True)[field.name],
        )
        for kind in kinds
        for field in fields(kind)
        if field.name not in without
    }

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]

        @functools.wraps(command)
        def wrapper(*arguments: Any, **given: Any) -> None:
            command(*arguments, **given)

        names = {p.name for p in own}
        parameters = [*own, *(p for name, p in shared.items() if name not in names)]
        wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return wrapper

    return decorate
