"""The domain of a model: the uncertainty that should raise doubts, and how often it has seen each element.

A model for compositions that it has not seen is judged on such compositions: the limit is the mean
uncertainty that a small part of the held-back ones exceeds. It is absolute: where the model is unsure of all
that it learned from an element, a relative limit hides the worst. A model of known compositions has the
limit of each element that nearly all training environments keep.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from bec_md.network.familiarity import FEW_STRUCTURES

QUANTILE = 0.95
FLAGGED = 0.15
"""Part of the held-back compositions that lies outside the domain."""


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


def structures_of_limits(
    frame: NDArray[np.int64], numbers: NDArray[np.int64], sizes: Sequence[int], repeats: Sequence[float]
) -> NDArray[np.int64]:
    """Choose the training structures whose uncertainties make the limits of the elements.

    All of a file that every epoch saw whole; of one that was seen in part (replay: thousands of structures
    beside a dozen) those that bring an element not yet met :data:`FEW_STRUCTURES` times.

    Parameters
    ----------
    frame, numbers
        (N,) structure and atomic number of each atom.
    sizes, repeats
        Structures of each file, laid end to end, and how often an epoch sees them.
    """
    chosen = np.repeat(np.asarray(repeats) >= 1.0, sizes)
    met = np.zeros(len(chemical_symbols), dtype=int)
    for i in np.argsort(~chosen, kind="stable"):
        elements = np.unique(numbers[frame == i])
        chosen[i] |= np.any(met[elements] < FEW_STRUCTURES)
        met[elements] += chosen[i]
    return np.flatnonzero(chosen)


def means_of_structures(frame: NDArray[np.int64], uncertainty_e: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean uncertainty over the atoms of each structure, e.

    Parameters
    ----------
    frame, uncertainty_e
        (N,) structure and calibrated uncertainty of each atom.
    """
    return np.asarray(np.bincount(frame, weights=uncertainty_e) / np.bincount(frame))


def limit_of_unseen(values: Sequence[NDArray[np.float64]], flagged: float = FLAGGED) -> float:
    """What a part `flagged` of unseen compositions exceeds.

    Parameters
    ----------
    values
        One number for each held-back structure, of every file.
    """
    return float(np.quantile(np.concatenate(values), 1.0 - flagged))


def structures_of_elements(frame: NDArray[np.int64], numbers: NDArray[np.int64]) -> dict[str, int]:
    """Count, for each element, the structures that contain it.

    Parameters
    ----------
    frame, numbers
        (N,) structure and atomic number of each atom.
    """
    pairs = np.unique(np.stack([frame, numbers]), axis=1)
    elements, counts = np.unique(pairs[1], return_counts=True)
    return {chemical_symbols[int(z)]: int(n) for z, n in zip(elements, counts, strict=True)}
