"""Autocorrelation, convergence, self-checks and charges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bec_md.errors import DataError, UsageError
from bec_md.plot import plot_acf, plot_charges, plot_compare_charges, plot_convergence, plot_quality
from bec_md.plot.convergence import convergence_spectra, relative_errors
from bec_md.plot.quality import number_text
from bec_md.spectrum import QualityReport, Spectrum
from bec_md.spectrum.errors.quality import QualityCheck
from tests.plot.oscillators import oscillator_series, oscillator_spectrum


def test_acf_is_normalized_and_windowed(spectrum: Spectrum) -> None:
    plain, windowed, window = plot_acf(spectrum).get_lines()[1:]
    trace = np.trace(spectrum.acf, axis1=1, axis2=2)
    assert_allclose(plain.get_xdata(), spectrum.acf_time_fs / 1000.0)
    assert_allclose(plain.get_ydata(), trace / trace[0])
    assert_allclose(windowed.get_ydata(), spectrum.lag_window * trace / trace[0])
    assert_allclose(window.get_ydata(), spectrum.lag_window)


def test_acf_must_be_there(spectrum: Spectrum) -> None:
    with pytest.raises(DataError, match="no autocorrelation"):
        plot_acf(replace(spectrum, acf_time_fs=np.zeros(0), acf=np.zeros((0, 3, 3))))


def test_convergence_draws_all_lengths() -> None:
    spectra = [oscillator_spectrum(n, resolution_cm=20.0) for n in (8192, 2048, 4096)]
    axes = plot_convergence(spectra)
    labels = [item.get_label() for item in axes.get_lines()]
    assert labels == ["8.19 ps", "16.4 ps", "32.8 ps"]
    assert_allclose(axes.get_lines()[-1].get_ydata(), spectra[0].n_alpha)


def test_convergence_from_a_current_keeps_resolution_and_temperature() -> None:
    axes = plot_convergence(
        oscillator_series(4096), fractions=(0.5, 1.0), temperature_k=300.0, resolution_cm=20.0
    )
    half, whole = axes.get_lines()
    assert_allclose(whole.get_ydata(), oscillator_spectrum(4096, resolution_cm=20.0).n_alpha)
    assert (half.get_label(), whole.get_label()) == ("8.19 ps", "16.4 ps")


def test_parts_that_cannot_have_the_resolution_of_the_run_have_the_finest_that_they_can() -> None:
    quarter, whole = convergence_spectra(
        oscillator_series(1024), (0.25, 1.0), temperature_k=300.0, resolution_cm=0.1
    )
    assert whole.parameters["resolution_cm"] == 0.1
    assert 0.3 < quarter.parameters["resolution_cm"] < 0.4  # a hundredth of 1/(256 · 4 fs · c)


def test_stated_error_falls_with_the_root_of_the_length() -> None:
    spectra = [oscillator_spectrum(n, resolution_cm=20.0) for n in (2048, 8192)]
    lengths, stated, measured = relative_errors(spectra)
    assert_allclose(lengths[1] / lengths[0], 4.0)
    # the height of the lines themselves is uncertain by some 20 %
    assert stated[0] / stated[1] == pytest.approx(2.0, rel=0.4)
    # one difference of two noisy spectra with some ten independent points under the lines
    assert 0.3 < measured[0] / stated[0] < 3.0
    assert np.isnan(measured[1])
    drawn = plot_convergence(spectra, show="error").get_lines()
    assert_allclose(drawn[1].get_ydata(), 100.0 * stated)


def test_convergence_needs_two(spectrum: Spectrum) -> None:
    with pytest.raises(DataError, match="two lengths"):
        plot_convergence([spectrum])
    with pytest.raises(UsageError, match="show"):
        plot_convergence([spectrum, spectrum], show="nothing")  # type: ignore[arg-type]


def test_quality_has_a_line_for_every_check(spectrum: Spectrum) -> None:
    texts = [text.get_text() for text in plot_quality(spectrum).texts]
    assert "f-sum rule" in texts
    verdicts = sum(texts.count(word) for word in ("ok", "doubtful", "failed", "unknown"))
    assert verdicts == len(spectrum.quality.checks)


def test_quality_shapes_tell_the_status() -> None:
    report = QualityReport(
        tuple(QualityCheck(s, 1.0, "", s, "", "") for s in ("ok", "warn", "fail", "unknown"))  # type: ignore[arg-type]
    )
    markers = [item.get_marker() for item in plot_quality(report).get_lines()[:4]]
    assert len(set(markers)) == 4
    with pytest.raises(DataError, match="self-checks"):
        plot_quality(QualityReport())


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123, "0.0123"), (-1.5e-7, "−1.5·10⁻⁷"), (4.2e12, "4.2·10¹²")]
)
def test_numbers_are_written_for_people(value: float, text: str) -> None:
    assert number_text(value) == text


def charges(frames: int = 5) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.array([14, 8, 8])
    rng = np.random.default_rng(0)
    means = np.array([3.4, -1.7, -1.7])[:, None, None] * np.eye(3)
    return means + 0.1 * rng.normal(size=(frames, 3, 3, 3)), numbers


def test_charges_are_densities_of_each_species() -> None:
    tensors, numbers = charges(200)
    axes = plot_charges(tensors, numbers, static={"Si": 3.4, "O": -1.7})
    outlines = [patch for patch in axes.patches if patch.get_label() in ("Si", "O")]
    for patch, expected in zip(outlines, (tensors[:, :1], tensors[:, 1:]), strict=True):
        density, edges, _ = patch.get_data()
        assert np.sum(density * np.diff(edges)) == pytest.approx(1.0)
        center = np.sum(density * np.diff(edges) * 0.5 * (edges[1:] + edges[:-1]))
        mean = float(np.trace(expected, axis1=-2, axis2=-1).mean()) / 3.0
        assert center == pytest.approx(mean, abs=float(np.diff(edges)[0]))  # within a bin
    assert sorted(item.get_xdata()[0] for item in axes.get_lines()) == [-1.7, 3.4]


def test_static_tensors_are_ticks_of_every_atom() -> None:
    tensors, numbers = charges()
    static = tensors.mean(axis=0)
    rows = plot_charges(tensors, numbers, static=static).collections
    for row, mine in zip(rows, (static[:1], static[1:]), strict=True):
        expected = np.trace(mine, axis1=1, axis2=2) / 3.0
        assert_allclose([segment[0, 0] for segment in row.get_segments()], expected)


@pytest.mark.parametrize(
    ("part", "count"), [("isotropic", 1), ("diagonal", 3), ("off-diagonal", 6), ("antisymmetric", 3)]
)
def test_parts_of_the_tensor(part: str, count: int) -> None:
    from bec_md.plot.charges import _part

    tensors, _ = charges()
    found = _part(tensors, part)  # type: ignore[arg-type]
    assert found.size == 15 * count
    if part == "antisymmetric":
        assert_allclose(found[0, 0, 0], 0.5 * (tensors[0, 0, 0, 1] - tensors[0, 0, 1, 0]))


def test_charges_of_other_shapes_are_refused() -> None:
    tensors, numbers = charges()
    with pytest.raises(UsageError, match="3×3"):
        plot_charges(tensors, numbers[:2])


def test_compare_charges_lays_spectra_over_each_other(spectrum: Spectrum) -> None:
    larger = replace(spectrum, sigma=2.0 * spectrum.sigma)
    axes = plot_compare_charges({"dynamic": spectrum, "fixed": larger})
    lines = {item.get_label(): item for item in axes.get_lines()}
    assert_allclose(lines["fixed"].get_ydata(), 2.0 * lines["dynamic"].get_ydata())
    assert axes.get_ylim()[1] > larger.n_alpha.max()
    with pytest.raises(DataError, match="compare"):
        plot_compare_charges({})
