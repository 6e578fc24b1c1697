"""Logarithmic axes of any length have three labels or more that do not touch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bec_md.plot.logarithmic import plain_logarithmic
from bec_md.plot.style import bare_figure, figure_size


@pytest.mark.parametrize("factor", [2.0, 3.0, 4.2, 8.0, 12.0, 40.0, 300.0, 1e4])
@pytest.mark.parametrize("low", [0.0021, 0.003, 0.0046, 0.009])
def test_labels_of_a_logarithmic_axis_do_not_touch(low, factor):
    figure = bare_figure(figure_size("column", 0.96))
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_xlim(low, low * factor)
    plain_logarithmic(axes.xaxis)
    figure.canvas.draw()
    labels = [
        tick.label1
        for tick in axes.xaxis.get_major_ticks()
        if low <= tick.get_loc() <= low * factor and tick.label1.get_text()
    ]
    boxes = sorted((label.get_window_extent() for label in labels), key=lambda box: box.x0)
    assert len(boxes) >= 3
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))
    values = np.array([float(label.get_text()) for label in labels])
    assert np.all((values >= low * 0.999) & (values <= low * factor * 1.001))
