"""The comment line of an extended XYZ frame: cell, columns, time, charge."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError

_CLOSING = {'"': '"', "'": "'", "{": "}", "[": "]"}
#: A key (quoted or not) with its equals sign at the beginning of a word, and a value without quotes.
_KEY = re.compile(r'(?:"([^"\s][^"]{0,200})"|([^\s="]++))[^\S\n]*+=[^\S\n]*+')
_BEGIN, _WORD = re.compile(r"\S"), re.compile(r"\S++")
_TRUE = frozenset({"T", "True", "true", "1"})
_FALSE = frozenset({"F", "False", "false", "0"})

#: Keys of the lattice vectors.
CELL_KEYS = ("Lattice", "lattice", "cell")


@dataclass(frozen=True)
class Column:
    """A property of the atoms: its type (R, I, S, L), first column and number of columns."""

    kind: str
    first: int
    count: int


def parse_comment(comment: str) -> dict[str, str]:
    """Key=value pairs of a comment line, values as text without their quotes or brackets.

    Takes time linear in the length of the line, whatever it holds.
    """
    pairs: dict[str, str] = {}
    unclosed: set[str] = set()
    at = 0
    while (begin := _BEGIN.search(comment, at)) is not None:
        key = _KEY.match(comment, begin.start())
        if key is None or key.end() == len(comment):
            word = _WORD.match(comment, begin.start())
            at = len(comment) if word is None else word.end()
            continue
        at = key.end()
        closing = _CLOSING.get(comment[at])
        end = comment.find(closing, at + 1) if closing is not None and closing not in unclosed else -1
        if end < 0:
            if closing is not None:  # none follows: it is not looked for again
                unclosed.add(closing)
            value = _WORD.match(comment, at)
            end = at if value is None else value.end()
            pairs[key[1] or key[2]] = comment[at:end]
            at = end
        else:
            pairs[key[1] or key[2]] = comment[at + 1 : end]
            at = end + 1
    return pairs


@lru_cache(maxsize=64)
def parse_properties(text: str, place: str) -> dict[str, Column]:
    """Columns by property name from ``name:kind:count:…``.

    Raises
    ------
    DataError
        If the text does not follow this form.
    """
    fields = text.split(":")
    columns: dict[str, Column] = {}
    first = 0
    try:
        for name, kind, count in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
            if kind not in "RISL" or len(kind) != 1 or int(count) < 1:
                raise ValueError(kind)
            columns[name] = Column(kind, first, int(count))
            first += int(count)
    except ValueError:
        raise DataError(
            f"{place}: Properties={text} cannot be read",
            "it names the columns as name:kind:count, with kind R, I, S or L",
            "write it like Properties=species:S:1:pos:R:3:momenta:R:3",
        ) from None
    return columns


def parse_cell(pairs: Mapping[str, str], place: str) -> NDArray[np.float64]:
    """Lattice vectors as rows in Å, shape (3, 3).

    Raises
    ------
    DataError
        If there is no `Lattice`, or it is not nine numbers.
    """
    text = next((pairs[key] for key in CELL_KEYS if key in pairs), None)
    if text is None:
        raise DataError(
            f"{place}: no Lattice in the comment line",
            "tensors depend on what repeats, and spectra on the volume",
            'write Lattice="ax ay az bx by bz cx cy cz" (Å) into the comment of every frame, or of molecules '
            'whose tensors alone are wanted pbc="F F F"',
        )
    try:
        return _matrix(text)
    except ValueError:
        raise DataError(
            f'{place}: Lattice="{text}" is not nine numbers',
            "the three lattice vectors have three components each",
            'write Lattice="ax ay az bx by bz cx cy cz" in Å',
        ) from None


@lru_cache(maxsize=4)
def _matrix(text: str) -> NDArray[np.float64]:
    """Nine numbers as (3, 3), read-only: successive frames with the same text share the array."""
    matrix = np.array(re.sub(r"[,\[\]]", " ", text).split(), dtype=np.float64).reshape(3, 3)
    matrix.flags.writeable = False
    return matrix


def parse_tensor(text: str, key: str, place: str) -> NDArray[np.float64]:
    """A 3×3 tensor from nine numbers, three (its diagonal) or one (isotropic).

    Raises
    ------
    DataError
        For another number of numbers, or what is none.
    """
    # ASE writes matrices as JSON
    words = re.sub(r"[,\[\]]", " ", text.removeprefix("_JSON")).split()
    try:
        values = np.array(words, dtype=np.float64)
    except ValueError:
        raise DataError(
            f"{place}: {key}={text[:60]} is no tensor",
            "it is stated as numbers",
            f"write {key}= with 1, 3 or 9 numbers, or leave it out",
        ) from None
    if values.size == 9:
        return values.reshape(3, 3)
    if values.size in (1, 3):
        return np.diag(np.broadcast_to(values, 3)).copy()
    raise DataError(f"{place}: {key} has {values.size} numbers", "a tensor has 1, 3 or 9", f"correct {key}")


def parse_pbc(pairs: Mapping[str, str], place: str, *, default: bool = True) -> NDArray[np.bool_]:
    """Periodicity along the lattice vectors, shape (3,); `default` when the comment does not say."""
    text = pairs.get("pbc", "T T T" if default else "F F F")
    try:
        return _three_flags(text)
    except ValueError:
        raise DataError(
            f'{place}: pbc="{text}" cannot be read',
            "it states periodicity along three directions",
            'write it like pbc="T T T"',
        ) from None


@lru_cache(maxsize=4)
def _three_flags(text: str) -> NDArray[np.bool_]:
    """Three truth values, (3,), read-only: successive frames with the same text share the array."""
    words = re.sub(r"[,\[\]]", " ", text).split()
    if len(words) != 3 or any(word not in _TRUE | _FALSE for word in words):
        raise ValueError(text)
    flags = np.array([word in _TRUE for word in words])
    flags.flags.writeable = False
    return flags


def parse_number(
    pairs: Mapping[str, str], keys: Mapping[str, float], place: str, *, positive: bool = False
) -> float | None:
    """The first of `keys` present, times its unit factor: a finite number, if asked for a positive one."""
    for key, factor in keys.items():
        if key in pairs:
            try:
                value = float(pairs[key])
            except ValueError:
                value = np.nan
            if np.isfinite(value) and (value > 0 or not positive):
                return value * factor
            raise DataError(
                f"{place}: {key}={pairs[key][:60]} is not a {'positive' if positive else 'finite'} number",
                "it states a time or a charge",
                f"write {key}= with one number, or leave it out",
            )
    return None
