"""Damage files of every format and see that each is read, or refused with what, why and what to do.

``python -m tests.trajectory.readers.fuzz MINUTES`` runs at random until the time is over, every file in a
process of its own, and prints what is neither; `test_fuzz.py` runs a few fixed seeds.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from bec_md.errors import BecMDError
from bec_md.trajectory import open_trajectory
from tests.trajectory.readers.motion import Motion
from tests.trajectory.readers.test_formats import FORMATS, options_for
from tests.trajectory.truth import assert_helpful

#: What is written into text in the place of something else.
_WORDS = (
    b"", b"-", b"1e999", b"nan", b"999999999999999999999", b"-1", b"0", b"\n", b"\x00", b"\xff\xfe",
    b"1e-320", b"{", b'"', b"=", b"1_0", b" ", b"\xc2\xb2",
    b"9" * 5000, b" " * 3000, b"1 " * 2000,
)  # fmt: skip


def damage(data: bytes, random: np.random.Generator) -> bytes:
    """Change some bytes: flip, overwrite with zeros or words, cut out, repeat, cut off."""
    for _ in range(int(random.integers(1, 4))):
        if not data:
            return data
        at = int(random.integers(len(data)))
        # Headers decide what is allocated: half of the damage is done there.
        if random.random() < 0.5:
            at = int(random.integers(min(len(data), 1500)))
        size = int(random.integers(1, 40))
        kind = int(random.integers(6))
        if kind == 0:
            data = data[:at] + bytes([data[at] ^ (1 << int(random.integers(8)))]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + random.choice([b"\x00", b"\xff", b"\x7f"]).item() * 8 + data[at + 8 :]
        elif kind == 2:
            data = data[:at] + _WORDS[int(random.integers(len(_WORDS)))] + data[at + size :]
        elif kind == 3:
            data = data[:at] + data[at + size :]
        elif kind == 4:
            data = data[: at + size] + data[at:]
        else:
            data = data[: max(at, 1)]
    return data


def attempt(path: Path, options: dict[str, Any]) -> str:
    """Read a file to its end: "read", "refused", or raise what should not be raised."""
    refused: BecMDError | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for frame in open_trajectory(path, **options).frames():
                assert np.isfinite(frame.positions_ang).all()
        except BecMDError as error:
            refused = error
    if refused is not None:
        assert_helpful(refused)
    return "read" if refused is None else "refused"


def main(minutes: float, only: str = "") -> None:
    """Damage and read until the time is over; print every file that crashed or raised, and keep it."""
    motion, seed, end = Motion(n_frames=8), int(time.time()), time.monotonic() + 60 * minutes
    tally: Counter[str] = Counter()
    formats = [row for row in FORMATS if only in row[1]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        while time.monotonic() < end:
            write, format_name, given, *_ = formats[seed % len(formats)]
            seed += 1
            path = write(motion, folder)
            options = options_for(motion, folder, given)
            path.write_bytes(damage(path.read_bytes(), np.random.default_rng(seed)))
            pid = os.fork()
            if pid == 0:
                code = 9
                try:
                    code = {"read": 0, "refused": 1}[attempt(path, options)]
                except BaseException:
                    traceback.print_exc()
                finally:
                    os._exit(code)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            outcome = {0: "read", 1: "refused"}.get(status, f"FAILED {status}")
            tally[outcome] += 1
            if outcome.startswith("FAILED"):
                print(f"{format_name}: seed {seed}, {outcome}", flush=True)
    print(dict(tally))


if __name__ == "__main__":
    main(float(sys.argv[1]), *sys.argv[2:])
