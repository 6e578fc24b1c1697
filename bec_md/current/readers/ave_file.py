"""Files of ``fix ave/time``: rows of scalars, or a block of rows for each step (mode vector); yaml too."""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

import numpy as np

from bec_md.arrays import Array
from bec_md.current.readers.table import read_columns, whole_lines
from bec_md.errors import DataError
from bec_md.files import open_text

#: Rows of one step, computed before and after a restart, agree to this share of the largest number.
_SAME_ROW = 1e-4
#: Steps that go back more often are no counter.
_MOST_RESTARTS = 1000


def read_ave_file(path: Path) -> tuple[Array, tuple[str, ...]]:
    """Return (T, C) numbers and the names of the columns, ``TimeStep`` first.

    Raises
    ------
    DataError
        If the file has none of the layouts, or is damaged.
    """
    with open_text(path) as file:
        head = list(islice(file, 5))
    is_yaml = any(line.startswith("keywords:") for line in head)
    if len(head) > 2 and head[1].split()[1:3] == ["TimeStep", "Number-of-rows"]:
        return (_yaml_blocks if is_yaml else _blocks)(path, head[2].lstrip("# ").split())
    if is_yaml:
        return _yaml(path)
    return read_columns(path)


def _yaml(path: Path) -> tuple[Array, tuple[str, ...]]:
    names: tuple[str, ...] = ()
    rows: list[list[float]] = []
    for line in whole_lines(path, strict=False)[0]:
        if line.startswith("keywords:"):
            names = ("TimeStep", *re.findall(r"'([^']*)'", line)[1:])
        elif line.lstrip().startswith("- ["):
            words = re.findall(r"[-+\w.]+", line.split("[", 1)[1])
            if len(words) == len(names):  # the last line of a run that goes on may be cut
                rows.append([float(word) for word in words])
    return _rows(rows, path), names


def _rows(rows: list[list[float]], path: Path) -> Array:
    if not rows:
        raise DataError(f"{path.name} holds no rows of numbers", "there is nothing to read", "check the run")
    return np.array(rows)


def _yaml_blocks(path: Path, columns: list[str]) -> tuple[Array, tuple[str, ...]]:
    """The same as `_blocks` where the file is called `.yaml`: a step, and each row in brackets of its own."""
    rows: list[list[float]] = []
    for line in whole_lines(path, strict=False)[0]:
        if found := re.fullmatch(r"\s+(\d+):\s*", line):
            rows.append([float(found[1])])
        elif rows and (numbers := re.findall(r"[-+\w.]+", line.partition("- [")[2])):
            rows[-1].append(float(numbers[0]))
    table = _rows([row for row in rows if len(row) == len(rows[0])], path)  # the last one may be cut
    return table, _components(columns, table, path)


def _components(columns: list[str], table: Array, path: Path) -> tuple[str, ...]:
    """Names of the rows of one column in mode vector: one global vector becomes NAME[1], NAME[2] …"""
    if len(columns) != 2:
        raise DataError(
            f"{path.name} has {len(columns) - 1} columns in mode vector",
            "one global vector, f_ID of fix bec, holds the components of the current as its rows",
            "write scalars: fix ave/time N 1 N f_ID[1] f_ID[2] f_ID[3] file NAME",
        )
    return ("TimeStep", *(f"{columns[1]}[{k}]" for k in range(1, table.shape[1])))


def _blocks(path: Path, columns: list[str]) -> tuple[Array, tuple[str, ...]]:
    """Blocks of a step and its rows, whose values become columns."""
    lines = [
        line.split()
        for line in whole_lines(path, strict=False)[0]
        if line.strip() and not line.startswith("#")
    ]
    rows, at = [], 0
    try:
        while at < len(lines):
            step, count = float(lines[at][0]), int(lines[at][1])
            block = lines[at + 1 : at + 1 + count]
            if len(block) == count:
                rows.append([step, *(float(words[1]) for words in block)])
            at += count + 1
        table = np.array(rows)
    except (ValueError, IndexError):
        table = np.empty(0)
    if table.ndim != 2 or len(table) == 0:
        raise DataError(
            f"the block at line {at + 1} of {path.name} is damaged",
            "a step and the number of rows are followed by these rows",
            "cut the file there",
        )
    return table, _components(columns, table, path)


def without_repeats(table: Array) -> Array:
    """Leave out rows that a restarted run has written again, where the first of these is the same in both."""
    tolerance = _SAME_ROW * np.abs(table[:, 1:]).max()
    rows, begin = table[:0], 0
    restarts = np.flatnonzero(np.diff(table[:, 0]) <= 0.0) + 1
    if len(restarts) > _MOST_RESTARTS:
        return table
    for end in (*restarts, len(table)):
        part, begin = table[begin:end], end
        for at in np.flatnonzero(rows[:, 0] == part[0, 0])[:1]:
            if np.abs(rows[at] - part[0]).max() <= tolerance:  # what follows there is the continuation
                rows, part = rows[: at + 1], part[1:]
        rows = np.concatenate([rows, part])
    return np.asarray(rows)
