from __future__ import annotations

import pytest

from tests.trajectory.readers.motion import Motion


@pytest.fixture(scope="session")
def motion() -> Motion:
    return Motion()
