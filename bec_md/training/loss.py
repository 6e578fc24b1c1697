"""Loss of tensors in their irreducible parts, of ε_∞, and of the ensemble's spread."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def irreducible_parts(tensors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Split (N, 3, 3) into trace (0e), antisymmetric (1e) and symmetric traceless (2e) parts.

    Z = (tr Z/3)·1 + (Z − Zᵀ)/2 + [(Z + Zᵀ)/2 − (tr Z/3)·1]; the three are orthogonal, so the squares of
    their Frobenius norms add up to that of Z.
    """
    transposed = tensors.transpose(-1, -2)
    identity = torch.eye(3, dtype=tensors.dtype, device=tensors.device)
    trace = torch.einsum("...aa->...", tensors)[..., None, None] / 3 * identity
    return trace, (tensors - transposed) / 2, (tensors + transposed) / 2 - trace


def huber(squared_norm: Tensor, delta: float) -> Tensor:
    """Huber function of a norm given by its square: x²/2 below δ, δ(x − δ/2) above.

    It sees only the norm of a tensor's part, hence it is the same in every frame of reference.
    """
    quadratic = squared_norm / 2
    norm = torch.sqrt(squared_norm.clamp(min=delta**2))
    return torch.where(squared_norm <= delta**2, quadratic, delta * (norm - delta / 2))


def tensor_loss(
    predicted: Tensor, labels: Tensor, *, kind: str, delta: float, weights: tuple[float, float, float]
) -> Tensor:
    """Loss of each atom, Σ_l w_l ρ(‖P_l (Z − Z_ref)‖).

    Parameters
    ----------
    predicted, labels
        (N, 3, 3), e.
    kind
        ``huber`` or ``mse`` (ρ = x²/2).
    delta
        Where Huber's function becomes linear, e.
    weights
        Of the 0e, 1e and 2e parts.

    Returns
    -------
    loss
        (N,).
    """
    total = predicted.new_zeros(predicted.shape[0])
    for part, weight in zip(irreducible_parts(predicted - labels), weights, strict=True):
        if weight == 0.0:
            continue
        squared = (part**2).sum(dim=(-1, -2))
        total = total + weight * (huber(squared, delta) if kind == "huber" else squared / 2)
    return total


def eps_inf_loss(predicted: Tensor, labels: Tensor, delta: float) -> Tensor:
    """Huber loss of the relative error ‖ε − ε_ref‖/‖ε_ref‖ of each frame, (B,)."""
    squared = ((predicted - labels) ** 2).sum(dim=(-1, -2)) / (labels**2).sum(dim=(-1, -2))
    return huber(squared, delta)


def ensemble_variance(members: Tensor, floor: float) -> Tensor:
    """Variance of one component, averaged over the nine: (N, M, 3, 3) → (N,), with a floor σ₀² added.

    The average over components makes it a scalar: the uncertainty of an atom does not depend on axes.
    """
    return members.var(dim=1, unbiased=True).mean(dim=(-1, -2)) + floor**2


def ensemble_loss(members: Tensor, labels: Tensor, *, score: str, floor: float, detach_mean: bool) -> Tensor:
    """Proper score of the Gaussian N(mean, s²) that the members stand for, mean over components.

    nll:  ½[(z − μ)²/s² + ln s²]
    crps: s [x(2Φ(x) − 1) + 2φ(x) − 1/√π],  x = (z − μ)/s

    Parameters
    ----------
    members
        (N, M, 3, 3), e.
    labels
        (N, 3, 3), e.
    score
        ``nll`` or ``crps``.
    floor
        Least standard deviation, e.
    detach_mean
        Train the spread alone.

    Returns
    -------
    loss
        (N,).

    References
    ----------
    Kellner and Ceriotti 2024 (shallow ensembles); Gneiting and Raftery 2007, Eq. 21 (CRPS).
    """
    mean = members.mean(dim=1)
    variance = ensemble_variance(members, floor)[:, None, None]
    residual = labels - (mean.detach() if detach_mean else mean)
    if score == "nll":
        return ((residual**2 / variance + torch.log(variance)) / 2).mean(dim=(-1, -2))
    spread = torch.sqrt(variance)
    x = residual / spread
    density = torch.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    signed = x * torch.erf(x / math.sqrt(2))
    return (spread * (signed + 2 * density - 1 / math.sqrt(math.pi))).mean(dim=(-1, -2))


def weighted_sum(values: Tensor, weights: Tensor, norm: float) -> Tensor:
    """Σ w·v / norm; the norm is that of an average batch, so that batches keep their relative weight.

    Values of no weight may be anything.
    """
    kept = torch.where(weights > 0, weights * values, 0.0)
    return kept.sum() / norm if norm > 0 else kept.sum()
