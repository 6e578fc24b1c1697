"""Training without figures, which take longer than the toys' epochs."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `trained` of test_run.py draws is looked at there; runs made within a test draw nothing."""
    monkeypatch.setattr("bec_md.training.run.draw", lambda folder, evaluations: ())
