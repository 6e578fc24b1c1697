"""Whether labels were stored with exchanged indices, judged by a prediction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class OrderCheck:
    """Whether a prediction fits labels better after exchanging their two indices."""

    rmse_e: float  # against Z
    rmse_transposed_e: float  # against Zᵀ
    antisymmetric_correlation: float  # −1 … 1: cosine between the antisymmetric parts

    @property
    def transposed(self) -> bool:
        """Whether the labels look like ∂M_b/∂u_ia."""
        return self.rmse_transposed_e < self.rmse_e and self.antisymmetric_correlation < -0.2


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
    return OrderCheck(
        rmse_e=float(np.sqrt(np.mean(difference**2))),
        rmse_transposed_e=float(np.sqrt(np.mean(swapped**2))),
        antisymmetric_correlation=float((a * b).sum()) / norm if norm > 0 else 0.0,
    )
