"""Headers of the frames of GROMACS' TRR and XTC files: every number is checked before anything is read by it.

Both are big-endian (XDR). A TRR frame holds box, positions, velocities and forces in single or double
precision, each of them or not; an XTC frame positions that are compressed from ten atoms on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bec_md.errors import DataError
from bec_md.trajectory.reader import place
from bec_md.trajectory.readers.text import CutFrameError

TRR_MAGIC, XTC_MAGIC, XTC_MAGIC_LARGE = 1993, 1995, 2023
#: Smallest and largest index of an XTC file into its table of small numbers.
_SMALL_INDEX = (9, 72)
_TRR_INTEGERS = struct.Struct(">13i")


@dataclass(frozen=True)
class XdrFrame:
    """Where the arrays of one frame are.

    Parameters
    ----------
    end
        First byte behind the frame.
    time_ps, step
        As stored.
    n_atoms
        Number of atoms.
    places
        Begin and data type of box, positions (x) and velocities (v) by name, of those that are stored as
        plain numbers.
    """

    end: int
    time_ps: float
    step: int
    n_atoms: int
    places: dict[str, tuple[int, str]]


def scan(path: Path, warn_cut: list[int]) -> Iterator[XdrFrame]:
    """Walk through the headers of a file; a last frame that is cut off puts its number into `warn_cut`.

    Raises
    ------
    DataError
        At a header that is damaged.
    """
    size, begin, number = path.stat().st_size, 0, 0
    with path.open("rb") as stream:
        while begin < size:
            stream.seek(begin)
            head = stream.read(128)
            try:
                frame = _frame(head, begin)
            except CutFrameError:
                warn_cut.append(number)
                return
            except (struct.error, ValueError, OverflowError) as error:
                if number and size - begin < 128 and isinstance(error, struct.error):
                    warn_cut.append(number)
                    return
                raise DataError(
                    f"{place(path, number)} cannot be read: {error}",
                    "its header is damaged, or this is no TRR or XTC file",
                    "copy the file again, or read the part before with `stop`",
                ) from None
            if frame.end > size:
                warn_cut.append(number)
                return
            yield frame
            begin, number = frame.end, number + 1


def _frame(head: bytes, begin: int) -> XdrFrame:
    magic = struct.unpack_from(">i", head)[0]
    if magic == TRR_MAGIC:
        return _trr_frame(head, begin)
    if magic in (XTC_MAGIC, XTC_MAGIC_LARGE):
        return _xtc_frame(head, begin, magic == XTC_MAGIC_LARGE)
    raise ValueError(f"it begins with {magic}, not with {TRR_MAGIC} (TRR) or {XTC_MAGIC} (XTC)")


def _trr_frame(head: bytes, begin: int) -> XdrFrame:
    length = struct.unpack_from(">ii", head, 4)[1]
    if not 0 <= length <= 40:
        raise ValueError(f"a name of {length} characters")
    at = 12 + -(-length // 4) * 4
    sizes = _TRR_INTEGERS.unpack_from(head, at)
    names = ("ir", "e", "box", "virial", "pressure", "topology", "symmetry", "x", "v", "f")
    size = dict(zip(names, sizes[:10], strict=True))
    n_atoms, step = sizes[10], sizes[11]
    if min(size.values()) < 0 or n_atoms < 1:
        raise ValueError(f"{n_atoms} atoms and arrays of {size} bytes")
    vectors = max(size["x"], size["v"], size["f"])
    width = size["box"] // 9 if size["box"] else vectors // (3 * n_atoms)
    fits = all(size[name] in (0, 3 * n_atoms * width) for name in "xvf") and size["box"] in (0, 9 * width)
    if width not in (4, 8) or not fits:
        raise ValueError(f"{n_atoms} atoms and arrays of {size} bytes")
    real = "f" if width == 4 else "d"
    at += _TRR_INTEGERS.size
    time_ps = struct.unpack_from(f">{real}", head, at)[0]
    at = begin + at + 2 * width
    places: dict[str, tuple[int, str]] = {}
    for name in names:
        if size[name] and name in ("box", "x", "v"):
            places[name] = (at, f">f{width}")
        at += size[name]
    return XdrFrame(at, float(time_ps), int(step), int(n_atoms), places)


def _xtc_frame(head: bytes, begin: int, large: bool) -> XdrFrame:
    _, n_atoms, step, time_ps = struct.unpack_from(">iiif", head)
    again = struct.unpack_from(">i", head, 52)[0]
    if n_atoms < 1 or again != n_atoms:
        raise ValueError(f"{n_atoms} atoms, of which {again} have positions")
    places = {"box": (begin + 16, ">f4")}
    if n_atoms <= 9:
        places["x"] = (begin + 56, ">f4")
        return XdrFrame(begin + 56 + 12 * n_atoms, time_ps, step, n_atoms, places)
    precision, *bounds, small = struct.unpack_from(">f7i", head, 56)
    size = struct.unpack_from(">q" if large else ">i", head, 88)[0]
    low, high = bounds[:3], bounds[3:]
    spans = all(0 <= b - a < 2**31 for a, b in zip(low, high, strict=True))
    if not (
        precision > 0
        and spans
        and _SMALL_INDEX[0] <= small <= _SMALL_INDEX[1]
        and 0 < size <= 40 * n_atoms + 64
    ):
        raise ValueError(f"a precision of {precision:g}, an index of {small} and {size} compressed bytes")
    end = begin + (96 if large else 92) + -(-size // 4) * 4
    return XdrFrame(end, time_ps, step, n_atoms, places)


def read_array(path: Path, frame: XdrFrame, name: str) -> NDArray[np.float64]:
    """Vectors of a frame, shape (n, 3), in nm or nm/ps."""
    begin, dtype = frame.places[name]
    rows = 3 if name == "box" else frame.n_atoms
    with path.open("rb") as stream:
        stream.seek(begin)
        data = stream.read(3 * rows * np.dtype(dtype).itemsize)
    return np.frombuffer(data, dtype=dtype).reshape(rows, 3).astype(np.float64)
