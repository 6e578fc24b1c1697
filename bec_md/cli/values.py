"""From the text of an option to its value."""

from __future__ import annotations

import itertools
import re
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Literal

from bec_md.atomic import fitting
from bec_md.errors import UsageError


def refuse_idle(idle: Mapping[str, bool], where: str, fix: str) -> None:
    """Refuse options that would do nothing.

    Parameters
    ----------
    idle
        By flag: whether it was given.
    where
        In which case they do nothing, as the end of a sentence.
    fix
        What to do instead.

    Raises
    ------
    UsageError
        If one was given.
    """
    given = " and ".join(flag for flag, is_given in idle.items() if is_given)
    if given:
        raise UsageError(f"{given} {where}", "an option that does nothing may hide a mistake", fix)


def parse_eps_inf(text: str | None) -> list[float] | str | None:
    """Read ``--eps-inf``: None, "model", or 1, 3, 6 or 9 numbers."""
    if text is None or text.strip() == "model":
        return None if text is None else "model"
    words = [word for word in re.split(r"[,;\s]+", text.strip()) if word]
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 3, 6, 9) or not all(abs(number) < 1e6 for number in numbers):
        raise UsageError(
            f"--eps-inf {text!r} is not understood",
            "ε_∞ is a number, the diagonal (3), a symmetric tensor (6: xx yy zz yz xz xy) or a tensor (9)",
            "write for example --eps-inf 2.4, --eps-inf 2.38,2.38,2.41 or --eps-inf model",
        )
    return numbers


def parse_masses(text: str | None) -> dict[str, float] | None:
    """Read ``--masses H=2.014,O=18``."""
    if text is None:
        return None
    masses: dict[str, float] = {}
    for item in text.split(","):
        symbol, separator, value = item.strip().partition("=")
        try:
            mass = float(value)
        except ValueError:
            mass = 0.0
        if not separator or not symbol or not 0.0 < mass < 1e4:
            raise UsageError(
                f"{item.strip()!r} in --masses {text} is not ELEMENT=MASS",
                "masses are given per element in amu",
                "write for example --masses H=2.014",
            )
        _refuse_twice(symbol, masses, f"--masses {text}")
        masses[symbol] = mass
    return masses


def parse_elements(text: str | None) -> list[str] | dict[int | str, str] | None:
    """Read ``--elements Si,O`` (types 1, 2, …), ``--elements 1=Si,2=O`` or ``--elements OW=O,HW=H``."""
    if text is None:
        return None
    items = [item for item in re.split(r"[,\s]+", text.strip()) if item]
    if not any("=" in item for item in items):
        return items
    table: dict[int | str, str] = {}
    for item in items:
        name, _, symbol = item.partition("=")
        if not name or not symbol:
            raise UsageError(
                f"{item!r} in --elements {text} is not TYPE=ELEMENT",
                "either all items name a type, or none does: LAMMPS numbers its types from 1",
                "write --elements Si,O or --elements 1=Si,2=O",
            )
        key = int(name) if name.isdigit() else name
        _refuse_twice(key, table, f"--elements {text}")
        table[key] = symbol
    return table


def _refuse_twice(name: int | str, table: Container[int | str], option: str) -> None:
    if name in table:
        raise UsageError(
            f"{name} occurs twice in {option}", "one of the two would be ignored", "give each once"
        )


def parse_cell(text: str | None) -> list[list[float]] | None:
    """Read ``--cell``: 3 edges of an orthorhombic cell or 9 components of its vectors, Å."""
    if text is None:
        return None
    words = [word for word in re.split(r"[,;\s]+", text.strip()) if word]
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) == 3:
        a, b, c = numbers
        numbers = [a, 0.0, 0.0, 0.0, b, 0.0, 0.0, 0.0, c]
    if len(numbers) != 9:
        raise UsageError(
            f"--cell {text!r} is not understood",
            "a cell is three edges (orthorhombic) or the nine components of its vectors, in Å",
            "write for example --cell 10,10,12",
        )
    return [numbers[0:3], numbers[3:6], numbers[6:9]]


def parse_columns(text: str | None) -> list[str | int] | None:
    """Read ``--columns 2,3,4`` or ``--columns f_J[1],f_J[2],f_J[3]``."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    if len(words) != 3:
        raise UsageError(
            f"--columns {text!r} names {len(words)} columns",
            "the current has three components",
            "write for example --columns 2,3,4",
        )
    return [int(word) if word.isdigit() else word for word in words]


def parse_stride(text: str) -> int | Literal["auto"]:
    """Read ``--charge-stride``: a whole number from 1 on, or auto."""
    if text == "auto":
        return "auto"
    if not text.isdigit() or int(text) < 1:
        raise UsageError(
            f"--charge-stride {text!r} is not understood",
            "the charges are evaluated at every n-th frame",
            "write --charge-stride 4, or --charge-stride auto",
        )
    return int(text)


def require_positive(**values: float | None) -> None:
    """Refuse options that are given and not positive; keywords are the option names with _ for -."""
    for name, value in values.items():
        if value is not None and not value > 0:
            option = "--" + name.replace("_", "-")
            raise UsageError(
                f"{option} {value:g}", "it has to be a positive number", f"give {option} above 0, or leave it"
            )


_FORMATS = {
    "xyz", "extxyz", "lammpstrj", "dump", "lammpsdump", "traj", "npz", "trr", "xtc", "dcd", "nc", "ncdf",
    "h5md", "h5", "hdf5", "json", "db", "xml", "txt", "dat", "out", "log", "csv", "gz", "bz2", "xz",
}  # fmt: skip


def stem_of(source: str) -> str:
    """Return the name of an input without folder, format and compression, and without ``_current``.

    A very long one is shortened: results are named after it.
    """
    name = Path(source).name
    while "." in name.lstrip(".") and name.rsplit(".", 1)[1].lower() in _FORMATS:
        name = name.rsplit(".", 1)[0]
    return fitting(name.removesuffix("_current") or name)


def common_stem(sources: list[str]) -> str:
    """Return what the results of all inputs together are named after: the words that their names share.

    ``quartz_300K_01.npz`` and ``quartz_300K_02.npz`` give ``quartz_300K``; without a common word it is the
    first name.
    """
    stems = [stem_of(source) for source in sources]
    if len(set(stems)) == 1:
        return stems[0]
    words = [re.split(r"(?<=[-_. ])", stem) for stem in stems]
    shared = [
        items[0] for items in itertools.takewhile(lambda w: len(set(w)) == 1, zip(*words, strict=False))
    ]
    return "".join(shared).rstrip("-_. ") or stems[0]


def stems_of(sources: list[str]) -> list[str]:
    """Return different stems for several inputs: the folder's name is put in front where they clash."""
    stems = [stem_of(source) for source in sources]
    if len(set(stems)) == len(stems):
        return stems
    longer = [
        fitting(f"{Path(source).resolve().parent.name}_{stem}")
        for source, stem in zip(sources, stems, strict=True)
    ]
    if len(set(longer)) == len(longer):
        return longer
    return [f"{stem}_{number}" for number, stem in enumerate(stems, start=1)]
