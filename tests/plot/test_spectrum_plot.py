"""What `plot_spectrum` draws is what the spectrum holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
import pytest
from numpy.testing import assert_allclose

from bec_md.errors import UsageError
from bec_md.plot import plot_spectrum
from bec_md.plot.palette import COLORS
from bec_md.spectrum import Spectrum
from bec_md.spectrum.response import optics
from bec_md.units import CM_PER_THZ, MEV_PER_CM
from tests.plot.oscillators import oscillator_spectrum

EXACT: dict[str, Any] = {"rtol": 1e-12}  # the same numbers through another order of operations


def line(axes: Any, label: str) -> Any:
    return next(item for item in axes.get_lines() if item.get_label() == label)


def band(axes: Any, number: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Abscissa, first and second edge of a `fill_between` band, from its polygon."""
    polygon = axes.collections[number].get_paths()[0].vertices
    count = (len(polygon) - 3) // 2
    return polygon[1 : count + 1, 0], polygon[1 : count + 1, 1], polygon[count + 2 : -1, 1][::-1]


@pytest.mark.parametrize(
    ("quantity", "attribute"),
    [
        ("n_alpha", "n_alpha"),
        ("sigma", "sigma_real"),
        ("eps_imag", "eps_imag"),
        ("eps_real", "eps_real"),
        ("n", "n"),
        ("kappa", "kappa"),
        ("alpha", "alpha_cm"),
        ("reflectivity", "reflectivity"),
        ("loss", "loss"),
    ],
)
def test_curve_is_the_array_of_the_spectrum(spectrum: Spectrum, quantity: str, attribute: str) -> None:
    axes = plot_spectrum(spectrum, quantity, groups=False, legend=False)
    drawn = axes.get_lines()[0]
    assert_allclose(drawn.get_xdata(), spectrum.wavenumber_cm, **EXACT)
    assert_allclose(drawn.get_ydata(), getattr(spectrum, attribute), **EXACT)


def test_pairs_have_both_curves(spectrum: Spectrum) -> None:
    axes = plot_spectrum(spectrum, "eps")
    assert_allclose(line(axes, r"$\varepsilon_1$").get_ydata(), spectrum.eps_real, **EXACT)
    assert_allclose(line(axes, r"$\varepsilon_2$").get_ydata(), spectrum.eps_imag, **EXACT)


@pytest.mark.parametrize(("unit", "factor"), [("cm", 1.0), ("thz", 1.0 / CM_PER_THZ), ("meV", MEV_PER_CM)])
def test_frequency_units(spectrum: Spectrum, unit: str, factor: float) -> None:
    axes = plot_spectrum(spectrum, groups=False, unit=unit)
    drawn = axes.get_lines()[0].get_xdata()
    assert_allclose(drawn, spectrum.wavenumber_cm * factor, **EXACT)
    assert axes.get_xlim()[1] == pytest.approx(1900.0 * factor, rel=0.01)  # the highest LO is at 1694 cm⁻¹


def test_bands_of_power_spectra_are_chi_square_intervals(spectrum: Spectrum) -> None:
    axes = plot_spectrum(spectrum, groups=False, band=(0.68, 0.95))
    for number, level in ((0, 0.95), (1, 0.68)):  # the wider one lies below
        x, low, high = band(axes, number)
        expected = spectrum.n_alpha_interval(level)
        assert_allclose(x, spectrum.wavenumber_cm, **EXACT)
        assert_allclose(low, expected[0], **EXACT)
        assert_allclose(high, expected[1], **EXACT)


def test_band_of_what_strong_bands_leak_to_is_as_wide_as_its_error(spectrum: Spectrum) -> None:
    leak = 0.01 * spectrum.sigma_iso.real.max()
    noisy = replace(spectrum, iso_real_err=np.hypot(spectrum.iso_real_err, leak))
    values, errors = noisy.n_alpha, noisy.error("n_alpha")
    low, high = noisy.n_alpha_interval(0.682689492)
    weak = errors > 10.0 * values
    assert weak.sum() > 10
    assert (low <= values).all()
    assert_allclose(low[weak], 0.0, atol=0.01 * errors[weak].max())
    assert_allclose(high[weak], (values + errors)[weak], rtol=1e-6)


def test_band_of_the_real_part_is_gaussian(spectrum: Spectrum) -> None:
    _, low, high = band(plot_spectrum(spectrum, "eps_real", band=0.682689492))
    # the coverage of one standard deviation
    assert_allclose(high - low, 2.0 * spectrum.eps_real_err, rtol=1e-6, atol=1e-12)  # 0 at the end


def test_band_of_reflectivity_stays_between_zero_and_one(spectrum: Spectrum) -> None:
    wide = replace(spectrum, iso_real_err=30.0 * spectrum.iso_real_err, model_err=spectrum.n_alpha)
    _, low, high = band(plot_spectrum(wide, "reflectivity"))
    assert low.min() == 0.0
    assert high.max() == 1.0


def test_subtracted_conductivity_shifts_the_band_with_the_curve(spectrum: Spectrum) -> None:
    kept = plot_spectrum(spectrum, "eps_imag", groups=False)
    parameters = {**spectrum.parameters, "subtract_dc": True}
    moved = plot_spectrum(
        replace(spectrum, sigma_dc=np.eye(3) * 5.0, parameters=parameters), "eps_imag", groups=False
    )
    shift = kept.get_lines()[0].get_ydata() - moved.get_lines()[0].get_ydata()
    assert np.all(shift > 0.0)
    for before, after in zip(band(kept)[1:], band(moved)[1:], strict=True):
        # differences of numbers up to 1e2 that agree to 1e-14 each
        assert_allclose(before - after, shift, rtol=1e-9, atol=1e-11)


def test_no_band(spectrum: Spectrum) -> None:
    assert not plot_spectrum(spectrum, groups=False, band=None).collections


def test_model_error_widens_a_hatched_band(spectrum: Spectrum) -> None:
    known = replace(spectrum, model_err=0.2 * spectrum.n_alpha)
    axes = plot_spectrum(known, groups=False)
    hatched = [c for c in axes.collections if c.get_hatch()]
    assert len(hatched) == 1
    index = axes.collections.index(hatched[0])
    _, low, high = band(axes, index)
    inner = spectrum.n_alpha_interval(0.68)
    wide = 0.9944579 * 0.2 * spectrum.n_alpha  # the 84th percentile of a normal law
    assert_allclose(spectrum.n_alpha - low, np.hypot(spectrum.n_alpha - inner[0], wide), rtol=1e-6)
    assert_allclose(high - spectrum.n_alpha, np.hypot(inner[1] - spectrum.n_alpha, wide), rtol=1e-6)


@pytest.mark.parametrize("quantity", ["n_alpha", "sigma", "eps_imag"])
def test_partial_lines_sum_to_the_total(spectrum: Spectrum, quantity: str) -> None:
    axes = plot_spectrum(spectrum, quantity, groups="lines")
    parts = sum(line(axes, name).get_ydata() for name in ("Si", "O", "H"))
    total = line(axes, "total").get_ydata()
    # 1e-12 of the highest value: parts of either sign cancel
    assert_allclose(parts, total, rtol=0.0, atol=1e-12 * float(total.max()))


def test_stacks_of_either_sign_sum_to_the_total(spectrum: Spectrum) -> None:
    assert min(float(part.min()) for part in spectrum.partial_n_alpha.values()) < 0.0
    axes = plot_spectrum(spectrum, groups="stacked", band=None)
    edges = [band(axes, number) for number in range(6)]
    above, below = edges[4][2], edges[5][2]  # outer edges of the last group
    assert np.all(above >= 0.0)
    assert np.all(below <= 0.0)
    assert_allclose(above + below, spectrum.n_alpha, rtol=0.0, atol=1e-12 * float(spectrum.n_alpha.max()))
    for group, (_, low, high) in zip(("Si", "O", "H"), edges[::2], strict=True):
        positive = np.clip(spectrum.partial_n_alpha[group], 0.0, None)
        assert_allclose(high - low, positive, rtol=0.0, atol=1e-12 * float(spectrum.n_alpha.max()))


@pytest.mark.parametrize("groups", ["lines", "stacked"])
def test_names_of_groups_are_shown_as_they_are(spectrum: Spectrum, groups: Any) -> None:
    odd = ("$^{$", "_O", "a$b$")
    parts = dict(zip(odd, spectrum.partial_n_alpha.values(), strict=True))
    axes = plot_spectrum(replace(spectrum, partial_n_alpha=parts), groups=groups)
    axes.figure.canvas.draw()
    shown = [text.get_text().strip().replace(r"\$", "$") for text in axes.get_legend().get_texts()]
    assert {*odd} <= {*shown}


def test_groups_are_left_out_where_they_do_not_add_up(spectrum: Spectrum) -> None:
    assert len(plot_spectrum(spectrum, "reflectivity", groups=True).get_lines()) == 1
    with pytest.raises(UsageError, match="sums over groups"):
        plot_spectrum(spectrum, "reflectivity", groups="stacked")


def test_components_of_tensors(spectrum: Spectrum) -> None:
    axes = plot_spectrum(spectrum, "eps_imag", components=("xx", "xz"))
    first, second = (line(axes, rf"$\varepsilon_{{2,{c}}}$") for c in ("xx", "xz"))
    assert_allclose(first.get_ydata(), spectrum.eps_imag_tensor[:, 0, 0], **EXACT)
    assert_allclose(second.get_ydata(), spectrum.eps_imag_tensor[:, 0, 2], rtol=1e-9, atol=1e-12)
    as_text = plot_spectrum(spectrum, "eps_imag", components="xx, xz")
    assert [x.get_label() for x in as_text.get_lines()] == [x.get_label() for x in axes.get_lines()]


@pytest.mark.parametrize(
    ("quantity", "function"),
    [
        ("reflectivity", optics.reflectivity),
        ("loss", optics.energy_loss),
        ("n", lambda eps: optics.refractive_index(eps).real),
        ("kappa", lambda eps: optics.refractive_index(eps).imag),
    ],
)
def test_principal_axes_have_optical_functions(spectrum: Spectrum, quantity: str, function: Any) -> None:
    axes = plot_spectrum(spectrum, quantity, components=("zz",), legend=False)
    eps = spectrum.eps
    assert eps is not None
    assert_allclose(axes.get_lines()[0].get_ydata(), function(eps[:, 2, 2]), **EXACT)


def test_isotropic_medium_has_the_same_errors_along_an_axis(spectrum: Spectrum) -> None:
    """Errors of one axis by the same propagation: with the isotropic variances they must agree."""
    eye = np.eye(3)[None]
    same = replace(
        spectrum,
        sigma=spectrum.sigma_iso[:, None, None] * eye,
        sigma_real_err=spectrum.iso_real_err[:, None, None] * eye,
        sigma_imag_err=spectrum.iso_imag_err[:, None, None] * eye,
        sigma_covariance=spectrum.iso_covariance[:, None, None] * eye,
    )
    for quantity in ("n", "kappa", "alpha", "reflectivity", "loss"):
        edges = [
            band(plot_spectrum(same, quantity, components=components))[1:] for components in ((), ("yy",))
        ]
        assert_allclose(edges[0], edges[1], rtol=1e-9, atol=1e-12)


def test_experiment_is_drawn_in_the_unit_of_the_axis(spectrum: Spectrum) -> None:
    x, y = np.array([500.0, 300.0, 400.0]), np.array([3.0, 1.0, 2.0])
    axes = plot_spectrum(spectrum, unit="thz", experiment={"measured": (x, y)})
    drawn = line(axes, "measured")
    assert_allclose(drawn.get_xdata(), np.array([300.0, 400.0, 500.0]) / CM_PER_THZ, **EXACT)
    assert_allclose(drawn.get_ydata(), [1.0, 2.0, 3.0])


def test_experiment_out_of_sight_does_not_set_the_limits(spectrum: Spectrum) -> None:
    alone = plot_spectrum(spectrum).get_ylim()
    far = (np.array([200.0, 9000.0]), np.array([1.0, 1e9]))
    assert plot_spectrum(spectrum, experiment=far).get_ylim() == alone


def test_experiment_must_be_columns(spectrum: Spectrum) -> None:
    with pytest.raises(UsageError, match="pair of columns"):
        plot_spectrum(spectrum, experiment={"broken": (np.zeros(3), np.zeros(4))})


def test_sticks_stand_at_the_modes(spectrum: Spectrum) -> None:
    sticks = {"TO": [105.0, 455.0], "harmonic": ([455.0, 1075.0], [1.0, 2.0])}
    axes = plot_spectrum(spectrum, groups=False, band=None, sticks=sticks)
    marks, bars = (item.get_segments() for item in axes.collections)
    assert [segment[0, 0] for segment in marks] == [105.0, 455.0]
    heights = [segment[1, 1] - segment[0, 1] for segment in bars]
    assert heights[0] / heights[1] == pytest.approx(0.5)


def test_model_error_is_drawn_where_it_is_seen(spectrum_without_eps: Spectrum) -> None:
    for part, seen in ((0.2, True), (1e-4, False)):
        known = replace(spectrum_without_eps, model_err=part * spectrum_without_eps.n_alpha)
        labels = plot_spectrum(known, groups=False).get_legend_handles_labels()[1]
        assert ("with model error" in labels) == ("sampling error" in labels) == seen


def test_legend_stays_below_the_rows_of_marks(spectrum: Spectrum) -> None:
    axes = plot_spectrum(spectrum, sticks={"E": [105.0, 455.0], "A2": [100.0, 1075.0]})
    axes.figure.canvas.draw()
    box = axes.get_legend().get_window_extent().transformed(axes.transAxes.inverted())
    lowest = min(segment[:, 1].min() for marks in axes.collections[-2:] for segment in marks.get_segments())
    assert box.y1 < lowest


def test_marks_have_the_same_number_of_decimals(spectrum: Spectrum) -> None:
    axes = plot_spectrum(replace(spectrum, sigma=spectrum.sigma * 1e3 / spectrum.n_alpha.max() * 1.2e3))
    axes.set_yticks([0.0, 500000.0, 1000000.0])
    axes.figure.canvas.draw()
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["0.0", "0.5", "1.0"]


def test_wavelength_axis_tells_the_inverse(spectrum: Spectrum) -> None:
    for unit, per_cm in (("cm", 1.0), ("thz", 1.0 / CM_PER_THZ)):
        axes = plot_spectrum(spectrum, unit=unit, wavelength=True)
        axes.figure.canvas.draw()
        (top,) = axes.child_axes
        places, texts = top.get_xticks(), [t.get_text() for t in top.get_xticklabels()]
        assert len(places) >= 4
        for place, text in zip(places, texts, strict=True):
            assert float(text) == pytest.approx(1e4 / (place / per_cm))  # λ [µm] = 10⁴/ν̃ [cm⁻¹]


def test_large_numbers_are_written_in_thousands(spectrum: Spectrum) -> None:
    axes = plot_spectrum(spectrum)
    assert r"10^{3}" in axes.get_ylabel()
    assert axes.yaxis.get_major_formatter()(20000.0, 0) == "20"


def test_low_frequency_divergence_does_not_set_the_limits(spectrum: Spectrum) -> None:
    leak = spectrum.sigma + np.eye(3) * 50.0  # a constant Re σ diverges in ε₂ towards zero frequency
    axes = plot_spectrum(replace(spectrum, sigma=leak), "eps_imag", groups=False)
    resolution = spectrum.parameters["resolution_cm"]
    seen = axes.get_lines()[0].get_ydata()[spectrum.wavenumber_cm >= resolution]
    assert axes.get_ylim()[1] < 2.0 * seen.max()


def test_second_spectrum_in_the_same_panel_is_seen_whole(spectrum: Spectrum) -> None:
    axes = plot_spectrum(spectrum, groups=False, label="a")
    twice = replace(spectrum, sigma=3.0 * spectrum.sigma)
    same = plot_spectrum(twice, groups=False, ax=axes, label="b", color="#CF4A2C")
    assert same is axes
    assert axes.get_ylim()[1] > 3.0 * spectrum.n_alpha.max()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]


def test_curves_of_several_calls_without_a_color_are_told_apart(spectrum: Spectrum) -> None:
    axes = plot_spectrum(spectrum, groups=False, label="a")
    plot_spectrum(spectrum, groups=False, ax=axes, label="b")
    for color in matplotlib.colormaps["viridis"]([0.2, 0.2]):
        plot_spectrum(spectrum, groups=False, ax=axes, label="c", color=color)
    looks = {
        (matplotlib.colors.to_hex(line.get_color()), str(line._dash_pattern)) for line in axes.get_lines()
    }
    assert len(looks) == 4


def test_settings_and_widths(spectrum: Spectrum) -> None:
    before = dict(matplotlib.rcParams)
    axes = plot_spectrum(spectrum, width="double")
    assert axes.figure.get_size_inches()[0] == pytest.approx(6.8)
    assert dict(matplotlib.rcParams) == before


def test_late_ticks_have_the_style(spectrum: Spectrum) -> None:
    axes = plot_spectrum(spectrum)
    axes.set_xlim(0.0, 777.0)
    axes.figure.canvas.draw()
    assert all(tick.tick1line.get_markersize() == pytest.approx(3.2) for tick in axes.xaxis.get_major_ticks())


@pytest.mark.parametrize("quantity", ["eps", "nk", "alpha", "reflectivity", "loss"])
def test_refused_without_eps_inf(spectrum_without_eps: Spectrum, quantity: str) -> None:
    with pytest.raises(UsageError, match="ε_∞"):
        plot_spectrum(spectrum_without_eps, quantity)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"quantity": "reflectivty"}, "did you mean 'reflectivity'"),
        ({"unit": "nm"}, "no frequency unit"),
        ({"components": ("xq",), "quantity": "eps_imag"}, "no tensor component"),
        ({"components": ("xy",), "quantity": "reflectivity"}, "principal axis"),
        ({"band": 68}, "between 0 and 1"),
        ({"groups": "piled"}, "groups"),
        ({"width": "poster"}, "figure width"),
    ],
)
def test_wrong_calls_say_what_to_do(spectrum: Spectrum, keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        plot_spectrum(spectrum, **keywords)


def test_one_group_is_no_decomposition() -> None:
    source = oscillator_spectrum(4096)
    single = replace(source, partial_n_alpha={"total": source.n_alpha})
    assert len(plot_spectrum(single).get_lines()) == 1


def test_a_long_legend_leaves_the_letter_of_the_panel_free(spectrum: Spectrum) -> None:
    """Ten groups in one column lay on "(a)"; two columns are half as high."""
    from bec_md.plot.spectrum import draw_legend

    heights = []
    for count in (5, 10):
        ax = plot_spectrum(spectrum, groups=False)
        for number in range(count):
            ax.plot([], [], label=f"O{number}")
        draw_legend(ax)
        legend = ax.get_legend()
        assert legend is not None
        heights.append(legend.get_window_extent().height)
    assert heights[1] < 1.3 * heights[0]


def test_a_figure_is_the_same_in_every_style(spectrum: Spectrum) -> None:
    """The letters of a dark style were white on the white of the shipped one."""
    import matplotlib.pyplot as plt
    import matplotlib.style

    plain = plot_spectrum(spectrum)
    with matplotlib.style.context("dark_background"):
        dark = plot_spectrum(spectrum)
        _, own = plt.subplots()
        plot_spectrum(spectrum, ax=own)
        assert own.get_facecolor() == (0.0, 0.0, 0.0, 1.0)
    for color in (lambda ax: ax.xaxis.label.get_color(), lambda ax: ax.spines["left"].get_edgecolor()):
        assert color(dark) == color(plain)
    assert own.get_legend() is None or own.get_legend().get_texts()[0].get_color() == "white"
    plt.close("all")


@pytest.mark.parametrize("other", [{"unit": "thz"}, {"quantity": "loss"}], ids=str)
def test_another_unit_is_not_drawn_into_the_same_axes(spectrum: Spectrum, other: dict[str, str]) -> None:
    """The curve lay at other numbers than the label says."""
    ax = plot_spectrum(spectrum, groups=False)
    plot_spectrum(spectrum, ax=ax, groups=False)
    with pytest.raises(UsageError, match="in axes that show them in"):
        plot_spectrum(spectrum, ax=ax, groups=False, **other)
    plot_spectrum(spectrum, ax=ax.twinx(), groups=False, quantity="loss")
    ax.clear()
    plot_spectrum(spectrum, ax=ax, groups=False, **other)


@pytest.mark.parametrize(("quantity", "components", "each"), [("eps", (), 2), ("eps_imag", "xx,zz", 2)])
def test_curves_of_several_spectra_differ_in_name_and_stroke(
    spectrum: Spectrum, quantity: str, components: str, each: int
) -> None:
    axes = None
    for number in range(8):  # more than there are colors
        color = COLORS[number % len(COLORS)]
        axes = plot_spectrum(
            spectrum, quantity, False, axes, components=components, label=f"run {number}", color=color
        )
    curves = [one for one in axes.get_lines() if not one.get_label().startswith("_")]
    assert len(curves) == 8 * each
    assert len({one.get_label() for one in curves}) == len(curves)
    assert len({(one.get_color(), one._unscaled_dash_pattern[1]) for one in curves}) == len(curves)


def test_limits_reach_to_the_bands_of_every_spectrum(spectrum_without_eps: Spectrum) -> None:
    high = replace(spectrum_without_eps, wavenumber_cm=3.0 * spectrum_without_eps.wavenumber_cm)
    both = plot_spectrum(high, groups=False, ax=plot_spectrum(spectrum_without_eps, groups=False))
    assert both.get_xlim() == plot_spectrum(high, groups=False).get_xlim()
    chosen = plot_spectrum(spectrum_without_eps, groups=False, xlim=(0.0, 300.0))
    assert plot_spectrum(high, groups=False, ax=chosen).get_xlim() == (0.0, 300.0)
    chosen.set_xlim(0.0, 400.0)
    assert plot_spectrum(high, groups=False, ax=chosen).get_xlim() == (0.0, 400.0)


def test_ordinate_fits_what_is_shown_of_an_axis_that_descends_or_is_narrow(
    spectrum_without_eps: Spectrum,
) -> None:
    grid, values = spectrum_without_eps.wavenumber_cm, spectrum_without_eps.n_alpha
    first, last = len(grid) // 8, len(grid) // 6
    up, down, narrow = (
        plot_spectrum(spectrum_without_eps, groups=False, xlim=xlim, band=None).get_ylim()
        for xlim in (
            (grid[first], grid[last]),
            (grid[last], grid[first]),
            (grid[first] + 1e-6, grid[first] + 2e-6),
        )
    )
    assert up == down == pytest.approx((0.0, 1.06 * values[first : last + 1].max()))
    assert narrow == pytest.approx((0.0, 1.06 * values[first]))
