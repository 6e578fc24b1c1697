"""A trajectory in two formats, and a runner that works in an empty folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bec_md.cli.app import app
from tests.cli import crystal

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of one trajectory of 2000 frames: extxyz, LAMMPS dump."""
    folder = tmp_path_factory.mktemp("trajectories")
    positions, velocities = crystal.trajectory(2000)
    return {
        "xyz": crystal.write(folder / "mgo.xyz", crystal.extxyz_text(positions, velocities)),
        "short": crystal.write(folder / "short.xyz", crystal.extxyz_text(positions[:60], velocities[:60])),
        "dump": crystal.write(
            folder / "mgo.lammpstrj", crystal.lammps_dump_text(positions[:400], velocities[:400])
        ),
        "later": crystal.write(
            folder / "later.xyz", crystal.extxyz_text(positions[1500:], velocities[1500:])
        ),
        "same": crystal.write(folder / "same.xyz", crystal.extxyz_text(positions[:400], velocities[:400])),
    }


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the application in an empty folder and return exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def invoke(*arguments: Any, status: int = 0) -> Any:
        result = runner.invoke(app, [str(argument) for argument in arguments], prog_name="bec-md")
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result

    return invoke
