r"""The current file: HDF5 that can be appended to, resumed after a kill, and read at any time.

While a current is computed its chunks lie in ``NAME.parts/`` beside the file (`bec_md.current.parts`); they
are joined into one file of datasets with an unlimited time axis at the end, or at the next run. Joining
writes a new file and renames it over the old one: no moment of a kill loses a complete chunk.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bec_md.arrays import Array
from bec_md.atomic import fitting, replacing
from bec_md.current.averages import Averages
from bec_md.current.fields import FIELDS
from bec_md.current.header import HEADER, SCHEMA, parse_header
from bec_md.current.job import SPELLED
from bec_md.current.lazy_rows import StoredRows, origin
from bec_md.current.parts import FRAME_HASH, PartsFolder, covered, stored_dtype
from bec_md.current.places import PLACE_ROW, PLACES, mean_structure_entry, thinned
from bec_md.current.series import CurrentSeries, mean_cell
from bec_md.errors import DataError
from bec_md.files import expanded, parsing, require_file
from bec_md.hdf5 import contents_of, hdf5_for_writing, is_hdf5, open_hdf5
from bec_md.interruption import checkpoint

if TYPE_CHECKING:
    from bec_md.current.job import CurrentJob

#: Larger files are read lazily.
LAZY_BYTES = 128 * 1024**2
#: Rows of one HDF5 chunk: about half a MB for a typical row.
CHUNK_BYTES = 512 * 1024
_COPY_ROWS = 16384
#: Datasets of the rows.
_OWN = frozenset({*FIELDS, FRAME_HASH, PLACE_ROW, PLACES})
#: How often a file is read that its writer is joining meanwhile.
_TRIES = 9


# ---------------------------------------------------------------------- what lies there
def read_header(path: Path) -> dict[str, Any] | None:
    """Return the header of a current file, or None if it is something else.

    Raises
    ------
    DataError
        If it is an HDF5 file that is damaged.
    """
    if not is_hdf5(path):
        return None
    with parsing(path, "HDF5 file"), open_hdf5(path) as file:
        text = file.attrs.get(HEADER)
    return None if text is None else parse_header(text, path.name)


def header_of(path: Path) -> dict[str, Any] | None:
    """Return the header of a current file, or of what an unfinished run has left for it."""
    header = read_header(path) if path.is_file() else None
    return PartsFolder(path).header() if header is None else header


def stored_intervals(path: Path) -> list[tuple[int, int]]:
    """Return the rows of a current that are stored already, as intervals in order."""
    intervals = [(part.start, part.stop) for part in PartsFolder(path).find()]
    joined = joined_rows(path)
    return covered([*intervals, (0, joined)] if joined else intervals)


def stored_rows(path: Path) -> int:
    """Return how many samples of a current are stored already."""
    return sum(stop - start for start, stop in stored_intervals(path))


def joined_rows(path: Path) -> int:
    """Return the number of rows in the joined file."""
    if not path.is_file():
        return 0
    with contents_of(path) as file:
        return length_of(file)


def is_stored_current(path: str | Path) -> bool:
    """Whether `load_current` can read this path."""
    path = expanded(path)
    return bool(PartsFolder(path).find()) or (path.is_file() and read_header(path) is not None)


def find(folder: Path, stem: str, job: CurrentJob) -> Path:
    """Return the file of this computation in a folder: there already, or to be made.

    The first of ``STEM_current.h5``, ``STEM_current-2.h5``, … that does not exist or belongs to the same
    computation: another model or time step never destroys a current that took hours.
    """
    number, stem = 1, fitting(stem)
    while True:
        name = f"{stem}_current.h5" if number == 1 else f"{stem}_current-{number}.h5"
        path = folder / name
        header = header_of(path)
        if header is None and not path.exists():
            return path
        if header is not None and same_computation(header, job.going_on(header).header()):
            return path
        number += 1


def same_computation(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether two headers belong to the same computation, on a trajectory that may have grown."""
    return stored.get("schema") == SCHEMA and differing(stored["key"], plain(wanted["key"])) <= SPELLED


def differing(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> set[str]:
    """Return the names of what differs between the keys of two computations."""
    return {name for name in {*stored, *wanted} if stored.get(name) != wanted.get(name)}


def compare_keys(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Return what differs between two computations, in words."""
    differences = []
    for name in sorted(differing(stored, wanted)):
        label = name.replace("_", " ")
        differences.append(
            f"other {label.removesuffix(' hash')}"
            if name.endswith("_hash")
            else f"{label} was {_short(stored.get(name))}, now {_short(wanted.get(name))}"
        )
    return "; ".join(differences)


def _short(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 40 else text[:37] + "…"


# ---------------------------------------------------------------------- writing
def join_parts(path: Path, parts: PartsFolder, header: dict[str, Any], joined: int) -> None:
    """Write the joined file anew from its valid rows and the chunks that continue them."""
    chain, position = [], joined
    for part in parts.find():
        if part.start <= position < part.stop:
            chain.append(part)
            position = part.stop
    if not chain and path.is_file() and _as_written(read_header(path)) == header:
        return
    with replacing(path) as partial:
        with hdf5_for_writing(partial, "w") as file:
            file.attrs[HEADER] = json.dumps(header)
            file.attrs["units"] = "e, angstrom, fs, amu, eV"
            if path.is_file():
                with open_hdf5(path) as old:
                    if joined:
                        _append(file, old, 0, joined)
                        _append_places(file, old, 0, joined)
                    for name in old.keys() - _OWN:  # what somebody has put beside the rows
                        old.copy(name, file)
            for part in chain:
                with open_hdf5(part.path) as source:
                    begin = length_of(file)
                    _append(file, source, begin - part.start, part.stop - part.start, add_up=True)
                    _append_places(file, source, begin, part.stop)
            filled = length_of(file) > 0
            _thin_places(file)
        if filled:
            found = _summary(partial, header)
            with hdf5_for_writing(partial, "r+") as file:
                file.attrs[HEADER] = json.dumps(header | found)


def _summary(path: Path, header: dict[str, Any]) -> dict[str, Any]:
    """Return what the rows of a file say together: the mean structure, and averages of a complete one."""
    series = load_file(path, header, lazy=True)
    with open_hdf5(path) as file:
        row, places = (file[name][()] if name in file else None for name in (PLACE_ROW, PLACES))
    found = mean_structure_entry(row, places, series.cells_ang, header["system"].get("numbers"))
    return found | ({"averages": series.averages.to_json()} if header.get("complete") else {})


def _as_written(header: dict[str, Any] | None) -> dict[str, Any]:
    """Return a header without what the rows say together."""
    found = ("averages", "mean_structure")
    return {name: value for name, value in (header or {}).items() if name not in found}


def length_of(file: Any) -> int:
    """Return the number of rows of an open file."""
    return int(file["current"].shape[0]) if "current" in file else 0


def _growing(file: Any, name: str, row_shape: tuple[int, ...]) -> Any:
    """Return a dataset of a file that can grow; made now if it is not there."""
    if name not in file:
        row_bytes = max(1, math.prod(row_shape)) * stored_dtype(name).itemsize
        most = 64 if name in (PLACE_ROW, PLACES) else 65536  # a chunk takes its room also half empty
        created = file.create_dataset(
            name,
            shape=(0, *row_shape),
            maxshape=(None, *row_shape),
            chunks=(max(1, min(most, CHUNK_BYTES // row_bytes)), *row_shape),
            dtype=stored_dtype(name),
            fletcher32=True,
        )
        if name in FIELDS:
            created.attrs["units"], created.attrs["long_name"] = FIELDS[name].unit, FIELDS[name].meaning
    return file[name]


def _append_places(file: Any, source: Any, begin: int, end: int) -> None:
    """Append the positions that belong to rows begin … end−1."""
    if PLACE_ROW not in source or PLACES not in source:
        return
    rows = source[PLACE_ROW][()]
    wanted = (rows >= begin) & (rows < end)
    for name in (PLACE_ROW, PLACES):
        target = _growing(file, name, source[name].shape[1:])
        at = len(target)
        target.resize(at + int(wanted.sum()), axis=0)
        target[at:] = source[name][()][wanted]


def _thin_places(file: Any) -> None:
    """Keep no more positions than a run of this length needs."""
    if PLACE_ROW not in file:
        return
    kept = thinned(file[PLACE_ROW][()], length_of(file), file[PLACES].shape[1])
    if kept is not None and len(kept) == len(file[PLACE_ROW]):
        return
    for name in (PLACE_ROW, PLACES):
        values = file[name][()][[] if kept is None else kept]
        del file[name]
        target = _growing(file, name, values.shape[1:])
        target.resize(len(values), axis=0)
        target[:] = values


def _append(file: Any, source: Any, first: int, stop: int, *, add_up: bool = False) -> None:
    """Append rows first … stop−1 of every dataset of one file to another; changes of a chunk are added up."""
    begun = length_of(file) > 0
    for name in source:
        if name not in _OWN or name in (PLACE_ROW, PLACES) or (begun and name not in file):
            continue
        dataset = source[name]
        target = _growing(file, name, dataset.shape[1:])
        begin = int(target.shape[0])
        target.resize(begin + stop - first, axis=0)
        summed = add_up and name in FIELDS and FIELDS[name].summed
        for row in range(first, stop, _COPY_ROWS):
            end, at = min(row + _COPY_ROWS, stop), begin + row - first
            values = dataset[row:end]
            target[at : at + end - row] = (
                added_up(values, target[at - 1] if at else None) if summed else values
            )
            checkpoint()


def added_up(changes: Array, before: Array | None = None) -> Array:
    """Return what changes (T, …) add up to, after the row before them, one after the other."""
    whole = changes if before is None else np.concatenate([before[None], changes])
    total = np.add.accumulate(whole, axis=0)
    return total if before is None else total[1:]


def frame_hashes_of(path: Path, rows: int) -> Array | None:
    """Return the stored hashes of the first `rows` frames, None where a file does not have them."""
    found = np.zeros(rows, dtype=np.uint64)
    known = np.zeros(rows, dtype=bool)
    sources = [(part.start, part.path) for part in PartsFolder(path).find()]
    for start, source in [*sources, *([(0, path)] if path.is_file() else [])]:
        with open_hdf5(source) as file:
            if FRAME_HASH in file:
                values = file[FRAME_HASH][: max(0, rows - start)]
                found[start : start + len(values)] = values
                known[start : start + len(values)] = True
    return cast(Array, found) if known.all() else None


# ---------------------------------------------------------------------- reading
def load_current(path: str | Path, *, lazy: bool | None = None) -> CurrentSeries:
    """Return a stored current; also one that is still being computed or was interrupted.

    Parameters
    ----------
    path
        The file that was given as output.
    lazy
        Read rows when they are needed; by default for files above 128 MB.

    Returns
    -------
    CurrentSeries
        J in e Å/fs and all that belongs to it.

    Raises
    ------
    UsageError
        If there is no such file.
    DataError
        If it is not a current file, is damaged, or holds no sample yet.
    """
    path = expanded(path)
    parts = PartsFolder(path)
    for _ in range(_TRIES):
        found = parts.find()
        try:
            return _load(path, parts, lazy)
        except (FileNotFoundError, DataError):
            if parts.find() == found:
                raise  # nobody has joined the parts in the meantime
    return _load(path, parts, lazy)


def _load(path: Path, parts: PartsFolder, lazy: bool | None) -> CurrentSeries:
    waiting = parts.header() if parts.find() else None
    if waiting is not None:
        return _load_interrupted(path, parts, waiting)
    header = read_header(path) if path.is_file() else None
    if header is not None:
        return load_file(path, header, lazy=lazy)
    require_file(path, "a stored current is read from it")
    raise DataError(
        f"{path.name} is not a current file of bec-md",
        "it lacks the header that bec-md current writes",
        "make one with bec-md current INPUT -o current.h5; open_current reads series of other codes",
    )


class _Scratch:
    """A folder that is removed when nothing refers to this object any more, or Python ends."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def _load_interrupted(path: Path, parts: PartsFolder, header: dict[str, Any]) -> CurrentSeries:
    """Read what an unfinished run has stored so far, without touching it: its rows keep a copy."""
    header = header | {"complete": False}
    scratch = _Scratch()
    view, joined = scratch.path / path.name, joined_rows(path)
    if joined:
        shutil.copyfile(path, view)
    join_parts(view, parts, header, joined)
    return load_file(view, header, keeper=scratch)


def load_file(
    path: Path, header: dict[str, Any], *, lazy: bool | None = None, keeper: Any = None
) -> CurrentSeries:
    """Return a joined file as a series; large ones are read lazily unless told otherwise.

    Parameters
    ----------
    path, header
        The file and its header.
    lazy
        Read rows when they are needed; by default for files above 128 MB.
    keeper
        What keeps a temporary file: lazy rows hold on to it.
    """
    with contents_of(path) as file:
        names = [name for name in FIELDS if name in file]
        _check_numbers(file, names, path)
        shapes = {name: tuple(int(n) for n in file[name].shape) for name in names}
        size = sum(int(np.prod(shape)) * 8 for shape in shapes.values())
        if lazy or (lazy is None and size > LAZY_BYTES):
            whole = path.resolve()
            made_of = origin(whole)
            arrays: dict[str, Any] = {
                name: StoredRows(whole, name, shapes[name], keeper=keeper, of=made_of) for name in names
            }
        else:
            arrays = {name: np.asarray(file[name][()], dtype=np.float64) for name in names}
    with parsing(path, "current of bec-md"):
        return build_series(header, arrays, path.name)


def _check_numbers(file: Any, names: list[str], path: Path) -> None:
    for name in names:
        stored = file[name].dtype
        if stored.kind != "f":
            raise DataError(
                f"{path.name}: {name} holds {stored.name} numbers",
                f"bec-md writes it as {stored_dtype(name).name}: something else has changed this file",
                "compute the current anew, or read series of other codes from NumPy and text files",
            )


def build_series(header: dict[str, Any], arrays: dict[str, Any], where: str) -> CurrentSeries:
    """Return the series of a header and its arrays."""
    if len(arrays.get("current", ())) == 0:
        raise DataError(
            f"{where} holds no sample yet",
            "the computation was stopped before its first chunk was complete",
            "run the same command again: it continues",
        )
    system = header["system"]
    if "cells_ang" in arrays:
        cell, volume = mean_cell(arrays["cells_ang"])
    else:
        cell, volume = None, float(system["volume_ang3"])
    known, free = header.get("averages"), system.get("group_free")
    return CurrentSeries(
        groups=tuple(system["groups"]),
        timestep_fs=float(system["timestep_fs"]),
        volume_ang3=volume,
        cell_ang=cell,
        scheme=system["scheme"],
        group_mass_amu=np.array(system["group_mass_amu"]),
        group_count=np.array(system["group_count"], dtype=np.int64),
        group_inverse_mass=np.array(system["group_inverse_mass"]),
        group_free=None if free is None else np.array(free, dtype=np.int64),
        anchored=bool(system.get("anchored", False)),
        total_charge_e=float(system["total_charge_e"]),
        start_time_fs=float(system["start_time_fs"]),
        known_averages=None if known is None else Averages.from_json(known),
        metadata={name: header[name] for name in ("mean_structure",) if name in header}
        | header["metadata"]
        | {"key": header["key"], "complete": header.get("complete", True)},
        **arrays,
    )


def plain(value: Any) -> Any:
    """Return a value as it will look after a round trip through JSON."""
    return json.loads(json.dumps(value, default=_convert))


def _convert(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return str(value)
