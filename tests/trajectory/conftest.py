from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.trajectory.truth import Truth


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def _write(text: str, name: str = "traj.xyz") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return _write
