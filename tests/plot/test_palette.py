"""Colors are told apart by everybody, and in grey."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from bec_md.plot.palette import COLORS, DASHES, INK, STATUS, ramp, stroke

#: Linear-RGB matrices of complete dichromacy, Machado, Oliveira and Fernandes 2009, severity 1.
DICHROMACY = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = XYZ.sum(axis=1)


def linear(color: str) -> np.ndarray:
    value = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    ratio = XYZ @ np.clip(rgb, 0.0, 1.0) / WHITE
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16.0) / 116.0)
    return np.array([116.0 * f[1] - 16.0, 500.0 * (f[0] - f[1]), 200.0 * (f[1] - f[2])])


@pytest.mark.parametrize("defect", DICHROMACY)
def test_all_pairs_differ_for_the_color_blind(defect: str) -> None:
    seen = [lab(np.array(DICHROMACY[defect]) @ linear(c)) for c in (INK, *COLORS)]
    # ΔE*ab of 2.3 is just noticeable side by side; thin lines need several times more
    assert min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)) > 15.0


def test_all_pairs_differ_in_grey_by_lightness_or_dashes() -> None:
    lightness = [lab(linear(c))[0] for c in (INK, *COLORS)]
    dashes = [(), *(stroke(i).dashes for i in range(len(COLORS)))]
    for i, j in combinations(range(len(lightness)), 2):
        assert abs(lightness[i] - lightness[j]) > 5.0
        assert dashes[i] != dashes[j]


def test_strokes_do_not_repeat_soon() -> None:
    looks = [stroke(i) for i in range(12)]
    assert len({(look.color, look.dashes) for look in looks}) == 12
    assert DASHES[0] == ()


def test_ramp_darkens() -> None:
    lightness = [lab(linear(c))[0] for c in ramp(5)]
    assert np.all(np.diff(lightness) < 0.0)
    assert ramp(1) == [INK]


def test_lights_differ_in_shape_and_word() -> None:
    assert len({marker for _, marker, _ in STATUS.values()}) == len({w for *_, w in STATUS.values()}) == 4
