"""Damaged files of every kind are read or refused with what, why and what to do; nothing else is raised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.doors import DOORS, Door, attempt, healthy
from tests.trajectory.readers.fuzz import damage

SEEDS = range(12)


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("healthy")
    return {door.name: healthy(door, folder) for door in DOORS}


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_files_are_read_or_refused(tmp_path: Path, door: Door, contents: dict[str, bytes]) -> None:
    path = tmp_path / door.name
    path.write_bytes(contents[door.name])
    assert attempt(door, path) == ("refused" if door.name == "card.json" else "read")  # a schema is no header
    for seed in SEEDS:
        path.write_bytes(damage(contents[door.name], np.random.default_rng(seed)))
        assert attempt(door, path) in ("read", "refused"), f"seed {seed}"
