"""The default figure and its files."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from numpy.testing import assert_allclose

from bec_md.errors import UsageError
from bec_md.plot import figure_of_spectrum, plot_spectrum, save_figure
from bec_md.spectrum import Spectrum


def test_default_figure_has_two_panels_with_eps(spectrum: Spectrum) -> None:
    figure = figure_of_spectrum(spectrum)
    upper, lower = figure.axes
    total = next(item for item in upper.get_lines() if item.get_label() == "total")
    assert_allclose(total.get_ydata(), spectrum.n_alpha)
    assert {text.get_text() for text in upper.get_legend().get_texts()} == {"total", "Si", "O", "H"}
    assert_allclose(lower.get_lines()[0].get_ydata(), spectrum.eps_real)
    assert upper.get_xlim() == lower.get_xlim()
    assert "Wavenumber" in lower.get_xlabel()
    assert not upper.get_xlabel()
    assert figure.get_size_inches()[0] == pytest.approx(3.37)


def test_default_figure_has_one_panel_without_eps(spectrum_without_eps: Spectrum) -> None:
    assert len(figure_of_spectrum(spectrum_without_eps).axes) == 1
    assert len(figure_of_spectrum(spectrum_without_eps, quantity="sigma").axes) == 1


def test_foot_tells_the_conditions(spectrum: Spectrum) -> None:
    text = figure_of_spectrum(spectrum).get_supxlabel()
    ratio = ", ".join(f"{value:.3f}" for value in spectrum.parameters["f_sum_ratio"])
    for part in ("300 K", "76 atoms", "16.4 ps", "10 cm", ratio):
        assert part in text


def test_figures_for_files_are_not_kept_by_pyplot(spectrum: Spectrum) -> None:
    import matplotlib.pyplot as plt

    figure_of_spectrum(spectrum)
    assert not plt.get_fignums()


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_same_figure_same_file(spectrum_without_eps: Spectrum, tmp_path: Path, suffix: str) -> None:
    contents = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}{suffix}"
        save_figure(figure_of_spectrum(spectrum_without_eps, footer=False), path, dpi=60)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    assert b"bec-md" in contents[0]


def test_text_of_vector_files_is_text(spectrum_without_eps: Spectrum, tmp_path: Path) -> None:
    axes = plot_spectrum(spectrum_without_eps, groups=False)
    save_figure(axes, tmp_path / "figure.svg")
    content = (tmp_path / "figure.svg").read_text()
    assert re.search(r"<text[^>]*>.*Wavenumber", content, re.DOTALL)
    assert 'width="242.64pt"' in content  # 3.37 in: saving does not crop the column width


def test_unknown_format(spectrum_without_eps: Spectrum, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="figure format"):
        save_figure(plot_spectrum(spectrum_without_eps), tmp_path / "figure.bmp")


def test_importing_the_package_does_not_import_matplotlib() -> None:
    modules = "bec_md.plot, bec_md.plot.spectrum, bec_md.plot.figure, bec_md.report.document"
    code = f"import sys, {modules}; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
