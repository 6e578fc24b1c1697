"""From the option classes of the rooms to the options of a command, and back.

A command takes option classes whole (`with_options`) and fills them from what was typed (`pick`). Messages
of the rooms name arguments in backticks, and are told in its flags (`in_terms_of_flags`).
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Annotated, Any, TypeVar, get_origin

import typer

Command = Callable[..., None]
Chosen = TypeVar("Chosen")


@dataclass(frozen=True)
class Flag:
    """How an argument of the program is given on the command line.

    Parameters
    ----------
    names
        The flag; further spellings after spaces, ``--no-…`` after a slash.
    kind
        What typer reads from the text.
    help
        Its help.
    panel
        Panel of the help.
    metavar
        Placeholder of the value.
    shown
        Words for what happens without it.
    read
        From the text to the value; by default the value is what typer reads.
    default
        Text of the default, where it is not the field's own.
    completion
        Completes what was begun, for the shell.
    """

    names: str
    kind: Any
    help: str
    panel: str | None = None
    metavar: str | None = None
    shown: str | None = None
    read: Callable[[Any], Any] | None = None
    default: Any = None
    completion: Callable[[str], list[str]] | None = None

    def annotation(self, default: Any) -> Any:
        """Return the annotation that typer takes."""
        return Annotated[
            self.kind,
            typer.Option(
                *self.names.split(),
                metavar=self.metavar,
                help=self.help,
                rich_help_panel=self.panel,
                show_default=self.shown or default is not None,
                autocompletion=self.completion,
            ),
        ]


def with_options(
    *kinds: type, flags: Mapping[str, Flag], without: Iterable[str] = ()
) -> Callable[[Command], Command]:
    """Give a command the options of option classes, and its own parameters their flags.

    Parameters
    ----------
    *kinds
        Dataclasses. A field that `flags` knows is an option; one that several of them have is one option. The
        command takes them as keywords.
    flags
        The mapping from the names of arguments.
    without
        Fields that this command does not offer: they keep their defaults.
    """
    shared: dict[str, inspect.Parameter] = {}
    for kind in kinds:
        for item in fields(kind):
            flag = flags.get(item.name)
            if flag is None or item.name in (*without, *shared) or flag in map(flags.get, shared):
                continue
            default = flag.default
            if flag.read is None and item.default is not MISSING:
                default = item.default
            shared[item.name] = inspect.Parameter(
                item.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=flag.annotation(default),
            )

    def decorate(command: Command) -> Command:
        """Return the command with a signature that typer reads."""
        signature = inspect.signature(command, eval_str=True)
        own = {
            name: parameter
            if get_origin(parameter.annotation) is Annotated
            else parameter.replace(annotation=flags[name].annotation(parameter.default))
            for name, parameter in signature.parameters.items()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        }

        @functools.wraps(command)
        def wrapper(*arguments: Any, **given: Any) -> None:
            """Call the command."""
            command(*arguments, **given)

        parameters = [*own.values(), *(p for name, p in shared.items() if name not in own)]
        wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return wrapper

    return decorate


def pick(kind: type[Chosen], given: Mapping[str, Any], flags: Mapping[str, Flag]) -> Chosen:
    """Return a dataclass of options, filled from the parameters of a command by name."""
    values = {}
    for item in fields(kind):  # type: ignore[arg-type]
        text = given.get(item.name)
        if text is not None:
            flag = flags.get(item.name)
            values[item.name] = text if flag is None or flag.read is None else flag.read(text)
    return kind(**values)


#: An argument in a message: `name`, or `name=value`.
_ARGUMENT = re.compile(r"`([a-z][a-z0-9_]*)(?:=([^`\n]*))?`")


def in_terms_of_flags(text: str, flags: Mapping[str, tuple[str, str]]) -> str:
    """Return a message in which arguments are named as flags: `timestep_fs=2.0` → --timestep 2.0.

    Parameters
    ----------
    text
        The message.
    flags
        By name of the argument: the flag, and the one that says no.
    """

    def flag(match: re.Match[str]) -> str:
        """Return the flag with its value."""
        name, value = match[1], match[2]
        if name not in flags:
            return match[0]
        yes, no = flags[name]
        if value in (None, "True", ""):
            return yes
        return no if value == "False" else f"{yes} {value}"

    return _ARGUMENT.sub(flag, text)


def spellings(names: Iterable[str]) -> tuple[str, str]:
    """Return the long flag among several spellings, and the one that says no."""
    yes, _, no = next((name for name in names if name.startswith("--")), "").partition("/")
    return yes, no or yes


def flags_of(command: Any) -> dict[str, tuple[str, str]]:
    """Return the flags of a command and of those below it, by the name of the argument."""
    found = {}
    for parameter in command.params:
        if getattr(parameter, "param_type_name", "") == "option":
            no = spellings(parameter.secondary_opts)[0]
            found[parameter.name] = (spellings(parameter.opts)[0], no or spellings(parameter.opts)[0])
    for below in getattr(command, "commands", {}).values():
        found |= flags_of(below)
    return found
