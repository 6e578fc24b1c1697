"""Figures of the tests: no window, none left open."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib
import pytest

from bec_md.spectrum import Spectrum
from tests.plot.oscillators import oscillator_spectrum

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def spectrum() -> Spectrum:
    return oscillator_spectrum(4096)


@pytest.fixture
def spectrum_without_eps() -> Spectrum:
    return oscillator_spectrum(4096, eps_inf=None)
