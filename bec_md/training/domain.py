"""The training domain of a model: how uncertain it is, per element, on the structures that it was trained on.

The ensemble's spread grows away from the training data. A frame whose mean spread is larger than nearly all
training environments of the same elements is outside the domain; `bec-md spectrum` counts such frames.
"""

from __future__ import annotations

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

QUANTILE = 0.95


def domain_uncertainty(
    numbers: NDArray[np.int64], uncertainty_e: NDArray[np.float64], quantile: float = QUANTILE
) -> dict[str, float]:
    """Quantile over training environments of the uncertainty of each element.

    Parameters
    ----------
    numbers, uncertainty_e
        (N,) atomic numbers and calibrated uncertainties of all training atoms, e.

    Returns
    -------
    dict
        Element symbol → uncertainty in e that this part of its training environments does not exceed.
    """
    return {
        chemical_symbols[int(number)]: float(np.quantile(uncertainty_e[numbers == number], quantile))
        for number in np.unique(numbers)
    }
