"""What a step of the training makes smaller: one row of the loss for each property that has labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from bec_md.network.network import Network, Properties
from bec_md.training.config import Loss
from bec_md.training.dataset import Batch, Labels
from bec_md.training.loss import ensemble_loss, eps_inf_loss, huber, tensor_loss, weighted_sum
from bec_md.training.projection import (
    SPREAD_EVERY,
    energy_score,
    random_directions,
    random_pairs,
    step_generator,
)


def batch_loss(
    network: Network, batch: Batch, loss: Loss, norms: Mapping[str, float], *, seed: int = 0, step: int = 0
) -> tuple[Tensor, Tensor]:
    """Loss of one batch and, for the log, the sum of squared errors of Z*.

    Parameters
    ----------
    network, batch
        The network, and frames with labels.
    loss
        Weights and kinds.
    norms
        Weight of an average batch for each property, which batches are measured by.
    seed, step
        Of what is drawn at random for a network whose Z* is a derivative.
    """
    if network.charges_from.gradient is None:
        properties = network(batch.graph)
        total = properties["charges"].new_zeros(())
        rows = list(ROWS)
        error = properties["charges"].detach().mean(dim=1) - batch.labels["charges"].values
        squared = error.square().sum()
    else:
        total, squared, properties = projected_row(
            network, batch, loss, norms["charges"], seed=seed, step=step
        )
        rows = [name for name in ROWS if name != "charges"]
    for name in rows:
        if name in properties:
            total = total + ROWS[name](properties, batch.labels[name], loss, norms[name])
    return total, squared


def charges_row(properties: Properties, labels: Labels, loss: Loss, norm: float) -> Tensor:
    """Tensors of the mean of the members, and the score of their spread."""
    members = properties["charges"]  # (N, M, 3, 3)
    per_atom = tensor_loss(
        members.mean(dim=1),
        labels.values,
        kind=loss.kind,
        delta=loss.delta_e,
        weights=(loss.trace, loss.antisymmetric, loss.traceless),
    )
    if loss.ensemble > 0.0:
        score = ensemble_loss(
            members,
            labels.values,
            score=loss.ensemble_score,
            floor=loss.ensemble_floor_e,
            detach_mean=loss.ensemble_detach,
        )
        per_atom = per_atom + loss.ensemble * score
    return weighted_sum(per_atom, labels.weight, norm)


def eps_inf_row(properties: Properties, labels: Labels, loss: Loss, norm: float) -> Tensor:
    """Relative error of ε_∞; zero where it is not trained."""
    eps_inf = properties["eps_inf"]
    if loss.eps_inf == 0.0 or norm == 0.0:
        return eps_inf.new_zeros(())
    return loss.eps_inf * weighted_sum(
        eps_inf_loss(eps_inf, labels.values, loss.eps_delta), labels.weight, norm
    )


#: Row of the loss for each property with labels (`bec_md.training.dataset.TARGETS`).
ROWS: dict[str, Callable[[Properties, Labels, Loss, float], Tensor]] = {
    "charges": charges_row,
    "eps_inf": eps_inf_row,
}


def projected_row(
    network: Network, batch: Batch, loss: Loss, norm: float, *, seed: int, step: int
) -> tuple[Tensor, Tensor, Properties]:
    """Row of Z* as a derivative, the sum of squared errors, and the other properties; see `projection`."""
    labels = batch.labels["charges"]
    count, members = batch.graph.n_frames, network.charges_from.members
    generator = step_generator(seed, step)
    direction = random_directions(count, generator, labels.values)
    spread = loss.ensemble > 0.0 and members > 1 and step % SPREAD_EVERY == 0
    if spread:
        mixes = random_pairs(count, members, generator, labels.values)
    else:
        mixes = [labels.values.new_full((count, members), 1 / members)]
    rows, properties = network.projected(batch.graph, direction, mixes)
    wanted = torch.einsum("nab,na->nb", labels.values, direction[batch.graph.frame])  # (N, 3)
    residual = torch.stack(rows).mean(dim=0) - wanted
    squared = 3 * residual.square().sum(dim=-1)  # in the mean over directions |Z − Z_ref|²
    per_atom = huber(squared, loss.delta_e) if loss.kind == "huber" else squared / 2
    if spread:
        first, second = rows
        score = energy_score(first, second, wanted, detach_mean=loss.ensemble_detach)
        per_atom = per_atom + loss.ensemble * score
    return weighted_sum(per_atom, labels.weight, norm), squared.detach().sum(), properties
