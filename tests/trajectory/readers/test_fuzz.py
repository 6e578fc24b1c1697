"""Damaged files of every format are read or refused; nothing else is ever raised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.trajectory.readers.fuzz import attempt, damage
from tests.trajectory.readers.motion import Motion
from tests.trajectory.readers.test_formats import FORMATS, options_for

EXAMPLES = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize(("write", "name", "options"), [row[:3] for row in FORMATS])
@EXAMPLES
@example(seed=1983)  # an OUTCAR without its lattice
@given(seed=st.integers(0, 2**32 - 1))
def test_damaged_files(tmp_path: Path, write: Any, name: str, options: dict[str, Any], seed: int) -> None:
    motion = Motion(n_frames=8)
    path = write(motion, tmp_path)
    path.write_bytes(damage(path.read_bytes(), np.random.default_rng(seed)))
    assert attempt(path, options_for(motion, tmp_path, options)) in ("read", "refused")


@pytest.mark.parametrize(
    "name", ["t.xyz", "XDATCAR", "cp.pos", "t.md", "HISTORY", "t.lammpstrj", "t.nc", "t.dcd", "t.traj"]
)
@EXAMPLES
@given(data=st.binary(min_size=1, max_size=200))
def test_any_bytes(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert attempt(path, {}) == "refused"
