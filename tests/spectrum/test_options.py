"""Options of a spectrum: one object, changed by name, refused by name."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bec_md.errors import UsageError
from bec_md.spectrum import SpectrumOptions, compute_spectrum
from bec_md.spectrum.response.direction import to_direction
from tests.spectrum.exact import bare


def test_options_and_keywords_give_the_same_spectrum() -> None:
    series = bare(np.random.default_rng(0).normal(size=(800, 3)))
    keywords = {"temperature_k": 300.0, "resolution_cm": 400.0, "estimator": "welch", "eps_inf": 2.0}
    by_name = compute_spectrum(series, **keywords)
    by_object = compute_spectrum(series, options=SpectrumOptions(**keywords))  # type: ignore[arg-type]
    assert np.array_equal(by_name.sigma, by_object.sigma)
    changed = compute_spectrum(series, options=SpectrumOptions(**keywords), temperature_k=600.0)  # type: ignore[arg-type]
    assert np.allclose(changed.sigma, 0.5 * by_name.sigma, rtol=1e-12)  # σ ∝ 1/T


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature_k", -1.0),
        ("resolution_cm", 0.0),
        ("max_cm", float("nan")),
        ("md_timestep_fs", 0.0),
        ("thermostat_friction_per_ps", -2.0),
        ("constraints", -1),
        ("estimator", "periodogram"),
        ("window", "hann"),
        ("sum_rule", "charge"),
        ("quantum", "exact"),
        ("eps_inf", (1.0, 2.0)),
        ("temperature_k", "300"),
        ("resolution_cm", [20.0]),
        ("subtract_dc", "no"),
        ("groups", ["Na"]),
    ],
)
def test_every_bad_value_is_refused_with_its_name(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=name):
        SpectrumOptions().changed(**{name: value}).check()


@pytest.mark.parametrize("given", ["run_current.h5", Path("run_current.h5"), ["a.h5"], np.zeros((9, 3)), 1])
def test_what_is_no_current_is_called_that(given: Any) -> None:
    with pytest.raises(UsageError, match="is no current"):
        compute_spectrum(given, temperature_k=300.0)


def test_a_number_is_no_direction() -> None:
    with pytest.raises(UsageError, match="direction 2 is not understood"):
        to_direction(2)  # type: ignore[arg-type]


def test_an_unknown_option_is_refused_with_its_neighbor() -> None:
    with pytest.raises(UsageError, match="temperature_k") as caught:
        SpectrumOptions().changed(temperature=300.0)
    assert caught.value.fix == "use temperature_k"


def test_every_option_is_explained() -> None:
    described = SpectrumOptions.__doc__ or ""
    assert all(f"\n    {f.name}\n" in described for f in fields(SpectrumOptions))
