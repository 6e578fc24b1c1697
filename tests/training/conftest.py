"""Training without figures, which take longer than the toys' epochs."""

from __future__ import annotations

from pathlib import Path

import pytest

from .outputs import OUTPUTS, write_vaspout


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `trained` of test_run.py draws is looked at there; runs made within a test draw nothing."""
    monkeypatch.setattr("bec_md.training.run.draw", lambda folder, evaluations: ())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the output of every program that labels come from."""
    for name, text in OUTPUTS.items():
        (tmp_path / name).write_text(text)
    write_vaspout(tmp_path / "vaspout.h5")
    return tmp_path
