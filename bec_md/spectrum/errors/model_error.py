r"""Model uncertainty of optical functions: the spread over an ensemble of networks.

Each member m of the ensemble has its own current, conductivity and ε. The function of interest is evaluated
for each, and

.. math:: s = c \left[\frac{1}{M-1} \sum_m (f[ε_m] - \bar f)^2\right]^{1/2},

with the calibration factor c of the ensemble (error over spread of the tensors, from its validation). No
expansion to first order, which fails where R or n vary fast. ε_∞ is the same for all members, so that its
own error is not in it.
"""

from __future__ import annotations

import numpy as np

from bec_md.arrays import Array


def spread(values: Array, calibration: float = 1.0) -> Array:
    """Standard deviation over members times the calibration, (F,) from (M, F)."""
    return np.asarray(calibration * values.std(axis=0, ddof=1))
