"""Foreign formats of trajectories, each in damaged versions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tests.attack.case import FIXED, OUT, Case
from tests.trajectory.readers.motion import Motion
from tests.trajectory.readers.test_formats import FORMATS, options_for

_NUMBER = re.compile(rb"(?<![\w.])-?\d+\.\d+(?:[eE][-+]?\d+)?")
_COUNT = re.compile(rb"(?<![\w.+-])[1-9]\d*(?![\w.])")


def _nth(pattern: re.Pattern[bytes], data: bytes, share: float, word: bytes) -> bytes:
    found = list(pattern.finditer(data))
    if not found:
        return data[: len(data) // 2] + word + data[len(data) // 2 :]
    one = found[int(share * (len(found) - 1))]
    return data[: one.start()] + word + data[one.end() :]


def _lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    return lambda data: b"\n".join(change(data.split(b"\n")))


VERSIONS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda _: b"", "refused"),
    "byte": (lambda data: data[:1], "refused"),
    "blank": (lambda _: b"\n \n\t\n" * 40, "refused"),
    "ones": (lambda data: b"\xff" * len(data), "refused"),
    "cut": (lambda data: data[: int(0.61 * len(data))], "any"),
    "twice": (lambda data: data + data, "any"),
    "tail": (lambda data: data + b"\x00\x01garbage\xff" * 30, "any"),
    "bom": (lambda data: b"\xef\xbb\xbf" + data, "any"),
    "crlf": (lambda data: data.replace(b"\n", b"\r\n"), "any"),
    "zeros": (lambda data: data[: len(data) // 2] + bytes(512) + data[len(data) // 2 + 512 :], "any"),
    "nan": (lambda data: _nth(_NUMBER, data, 0.7, b"nan"), "any"),
    "overflow": (lambda data: _nth(_NUMBER, data, 0.7, b"1e999"), "any"),
    "huge": (lambda data: _nth(_NUMBER, data, 0.6, b"9.9e200"), "any"),
    "count": (lambda data: _nth(_COUNT, data, 0.0, b"99999999999"), "any"),
    "negative": (lambda data: _nth(_COUNT, data, 0.0, b"-3"), "any"),
    "commas": (lambda data: re.sub(rb"(\d)\.(\d)", rb"\1,\2", data), "any"),
    "line": (_lines(lambda lines: lines[: len(lines) // 2] + lines[len(lines) // 2 + 1 :]), "any"),
    "swapped": (_lines(lambda lines: lines[len(lines) // 2 :] + lines[: len(lines) // 2]), "any"),
}


def formats(folder: Path) -> Iterator[Case]:
    """Every foreign format of trajectories, damaged."""
    motion = Motion(n_frames=24)
    for number, (write, name, given, *_) in enumerate(FORMATS):
        place = folder / f"{number}-{name.replace(':', '-')}"
        place.mkdir(parents=True)
        path = write(motion, place)
        words: list[str] = []
        for option, value in options_for(motion, place, given).items():
            flag = {"timestep_fs": "--timestep", "cell_ang": "--cell", "lammps_units": "--units"}.get(
                option, "--" + option
            )
            text = " ".join(map(str, np.ravel(value))) if option == "cell_ang" else Path(str(value)).name
            words += [flag, text]
        whole = {one.name: one.read_bytes() for one in place.iterdir()}
        command = ["spectrum", path.name, *FIXED, "--temperature", "300", *words, *OUT]
        yield Case(f"{place.name}-healthy", command, dict(whole), "done")
        for version, (change, wants) in VERSIONS.items():
            yield Case(
                f"{place.name}-{version}", command, {**whole, path.name: change(whole[path.name])}, wants
            )
