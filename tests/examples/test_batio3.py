"""The polarization–field loop: its analysis on a loop that is known, and the script, shortened."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from tests.examples.scripts import script

SCRIPT = Path(__file__).parents[2] / "examples" / "batio3" / "loop.py"


@pytest.fixture(scope="module")
def loop() -> ModuleType:
    spec = importlib.util.spec_from_file_location("batio3_loop", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_known_loop(loop: ModuleType) -> None:
    """P = ±P₀ + χE, switched where |E| passes 0.13 against it."""
    field = 0.2 * np.sin(np.linspace(0.0, 6 * np.pi, 3000))
    state, polarization = 1.0, []
    for value in field:
        state = np.sign(value) if abs(value) > 0.13 else state
        polarization.append(5.0 * state + 8.0 * value)
    moments = np.array(polarization)
    halves = loop.half_cycles(field)
    assert len(halves) == 5
    for half in halves:
        assert loop.switching_field(field[half], moments[half]) == pytest.approx(0.13, abs=1e-3)
        slope, remanent = loop.weak_line(field[half], moments[half], 0.2)
        assert slope == pytest.approx(8.0, rel=1e-9)
        assert abs(remanent) == pytest.approx(5.0, rel=1e-9)
    still = np.abs(moments[halves[0]])
    assert np.isnan(loop.switching_field(field[halves[0]], still))


def test_the_script(tmp_path: Path) -> None:
    short = ("--cells", "1", "--equilibration", "50", "--free", "0.4", "--period", "0.4", "--cycles", "2")
    printed = script("batio3/loop.py", *short, "--amplitude", "0.01", folder=tmp_path)
    assert (tmp_path / "loop.png").is_file()
    field, polarization, work = np.loadtxt(tmp_path / "batio3_loop.dat")[:, 1:].T
    assert np.abs(field).max() == pytest.approx(0.01, rel=0.01)
    # the work of the field is ∫E dP, by the trapezoidal rule over the samples
    expected = np.sum(0.5 * (field[1:] + field[:-1]) * np.diff(polarization))
    assert work[-1] - work[0] == pytest.approx(
        expected, abs=0.05 * np.abs(field).max() * np.ptp(polarization)
    )
    assert re.search(r"half cycles +3, 0 with a switch", printed)
