"""Where a column of a LAMMPS run comes from, followed through variables and averages."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bec_md.current.readers.lammps_commands import RunSettings
from bec_md.current.readers.raw import Kind
from bec_md.errors import DataError

#: Names that lead from one to the next at most: f_a[1] → v_x → f_b[2] → …
_LONGEST = 16
_VALUE = r"\s*[cfv]_\w+(?:\[\d+\])?\s*"
#: Formulas whose unit is that of what they are made of.
_SUM = re.compile(rf"[-+]?{_VALUE}(?:[-+]{_VALUE})*")


def check_origin(
    columns: Sequence[str], settings: RunSettings, where: str, *, named: bool, kind: Kind | None
) -> None:
    """Refuse columns that are averages, or the output of something else than what they are read as.

    Parameters
    ----------
    columns
        Names of the three columns: ``f_ID[k]`` or ``v_NAME``.
    settings
        Of the run.
    where
        The file, for messages.
    named
        Whether the user chose them: then they may come from any fix.
    kind
        What the units that the user gave measure: then they may be the values of any formula, or moments.

    Raises
    ------
    DataError
        With the command that computes them.
    """
    for column in columns:
        name = column
        for _ in range(_LONGEST):
            words = settings.fixes.get(fix_id(name), ())
            if name.startswith("v_") and name[2:] in settings.variables:
                name = settings.variables[name[2:]]
            elif words[3:4] == ("ave/time",):
                refuse_averages(words, where)
                name = _averaged(words, _component(name))
            else:
                break
        if name not in ("", column) and kind is None and not _SUM.fullmatch(name):
            raise DataError(
                f"{column} of {where} is {name}",
                "what a formula makes of a current (a density, another unit) the units of LAMMPS do not tell",
                "print f_ID[1] f_ID[2] f_ID[3] of fix bec themselves, or give `units`, for example e*ang/ps",
            )
        style = settings.style(fix_id(name))
        is_moment = _is_moment(name, settings)
        if is_moment is not None and is_moment != (kind == "dipole"):
            raise DataError(
                f"{column} of {where} is {'a dipole moment' if is_moment else 'the current itself'}",
                "J is the rate of change of a dipole moment: one taken for the other is another spectrum",
                "give `units=e*ang` with a dipole moment"
                if is_moment
                else "give the units of a current, or none: the log states them",
            )
        if style and style != "bec" and not named:
            raise DataError(
                f"{column} of {where} comes from fix {fix_id(name)} {style}",
                "three columns f_ID[1] f_ID[2] f_ID[3] are the current only where fix bec computes them",
                "print those of fix bec; or name the columns of a current of another fix with `columns`",
            )


def _is_moment(name: str, settings: RunSettings) -> bool | None:
    """Whether a value is a dipole moment (∫J dt or P of `fix bec`, or of a compute); None if unknown."""
    if settings.style(fix_id(name)) == "bec":
        return 3 < _component(name) < 10
    found = re.match(r"c_(\w+)", name)
    return True if found and settings.computes.get(found[1], "").startswith("dipole") else None


def refuse_averages(command: Sequence[str], where: str) -> None:
    """Refuse rows that are not samples of one step: fix ID group ave/time Nevery Nrepeat Nfreq …"""
    if not command:
        return
    why = "an average over steps damps the high frequencies and folds those above Nyquist onto the low ones"
    if len(command) > 6 and command[5] != "1":
        cause = f"fix {command[1]} ave/time averages {command[5]} samples for each row of {where}"
        every = command[4]
    elif "ave" in command[:-1] and command[command.index("ave", 4) + 1] in ("running", "window"):
        mode = command[command.index("ave", 4) + 1]
        cause = f"fix {command[1]} ave/time has put averages over earlier rows (ave {mode}) into {where}"
        why, every = "they are no samples of J(t)", command[4]
    else:
        return
    raise DataError(
        cause,
        why,
        f"write samples: fix {command[1]} {command[2]} ave/time {every} 1 {every} … file NAME",
    )


def averaged_values(command: Sequence[str], count: int) -> tuple[str, ...]:
    """Return what a ``fix ave/time`` puts into `count` columns, f_ID[k], c_ID, v_NAME; empty if unknown."""
    values = tuple(word for word in command[7:] if re.match(r"[cfv]_\w", word))
    if len(values) == 1 and values[0].endswith("[*]"):
        return tuple(values[0].replace("*", str(k)) for k in range(1, count + 1))
    return values if len(values) == count else ()


def fix_id(column: str) -> str:
    """Return the ID of the fix whose component a column is; an empty text for other columns."""
    found = re.fullmatch(r"f_(\w+)\[\d+\]", column)
    return found[1] if found else ""


def _component(column: str) -> int:
    found = re.search(r"\[(\d+)\]$", column)
    return int(found[1]) if found else 1


def _averaged(command: Sequence[str], component: int) -> str:
    """Return the value behind a component of a ``fix ave/time``; f_ID[*] stands for all of a fix."""
    values = [word for word in command[7:] if re.match(r"[cfv]_\w", word)]
    if len(values) == 1:
        return values[0].replace("[*]", f"[{component}]")
    return values[component - 1] if 0 < component <= len(values) else ""
