"""Whether labels were stored with exchanged indices, judged by a prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Part of the error that an exchange must take away. Transposed labels of water, silica, Li3PO4 and ZrO2 lose
#: 8 % and more with each of five bundled models, those of perovskites (hardly antisymmetric) 2 to 11 %; right
#: labels of positions in other units, in another order or along other axes at most 3 %.
LEAST_GAIN = 0.05
#: The same where more error is left after the exchange than this part of the traceless tensors. Bundled
#: models leave 0.33; those that have hardly begun to learn 0.47 and more, and their antisymmetric part, of
#: either sign, gains up to 7 %.
LARGEST_MISFIT, LEAST_GAIN_OF_MISFITS = 0.4, 0.2


@dataclass(frozen=True, slots=True)
class OrderCheck:
    """Whether a prediction fits labels better after exchanging their two indices."""

    rmse_e: float  # against Z
    rmse_transposed_e: float  # against Zᵀ
    antisymmetric_correlation: float  # −1 … 1: cosine between the antisymmetric parts
    misfit: float  # r.m.s. error of the traceless parts against Zᵀ, over that of the labels

    @property
    def transposed(self) -> bool:
        """Whether the labels look like ∂M_b/∂u_ia; a model that fits neither order hardly tells."""
        gain = 1.0 - self.rmse_transposed_e / self.rmse_e if self.rmse_e > 0.0 else 0.0
        least = LEAST_GAIN if self.misfit < LARGEST_MISFIT else LEAST_GAIN_OF_MISFITS
        return gain > least and self.antisymmetric_correlation < -0.2


def check_index_order(predicted: NDArray[np.float64], labels: NDArray[np.float64]) -> OrderCheck:
    """Compare predictions with labels and with transposed labels.

    Only the antisymmetric parts A = (Z − Zᵀ)/2 decide: RMSE² differs by 4⟨A_pred : A_label⟩/9.

    Parameters
    ----------
    predicted, labels
        (N, 3, 3), e.

    Returns
    -------
    OrderCheck
        Both root-mean-square errors, e, and what they say of the order.
    """
    difference = predicted - labels
    swapped = predicted - labels.transpose(0, 2, 1)
    a = (predicted - predicted.transpose(0, 2, 1)) / 2
    b = (labels - labels.transpose(0, 2, 1)) / 2
    norm = float(np.sqrt((a**2).sum() * (b**2).sum()))
    spread = float(np.linalg.norm(_traceless(labels)))
    return OrderCheck(
        rmse_e=float(np.sqrt(np.mean(difference**2))),
        rmse_transposed_e=float(np.sqrt(np.mean(swapped**2))),
        antisymmetric_correlation=float((a * b).sum()) / norm if norm > 0 else 0.0,
        misfit=float(np.linalg.norm(_traceless(swapped))) / spread if spread > 0 else 0.0,
    )


def _traceless(tensors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Z − tr Z/3."""
    trace = np.trace(tensors, axis1=1, axis2=2)[:, None, None] / 3
    return np.asarray(tensors - trace * np.eye(3))
