import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from bec_md.training.loss import (
    ensemble_loss,
    ensemble_variance,
    eps_inf_loss,
    huber,
    irreducible_parts,
    tensor_loss,
)


def random_tensors(n=20, seed=0):
    return torch.randn(n, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def rotation(seed=0):
    from scipy.spatial.transform import Rotation

    return torch.from_numpy(Rotation.random(random_state=seed).as_matrix())


def test_parts_are_orthogonal_complete_and_of_the_right_symmetry():
    z = random_tensors()
    trace, anti, traceless = irreducible_parts(z)
    # machine precision of a handful of float64 operations on numbers of order 1
    torch.testing.assert_close(trace + anti + traceless, z, rtol=0, atol=1e-14)
    torch.testing.assert_close(anti, -anti.transpose(1, 2), rtol=0, atol=1e-15)
    assert traceless.diagonal(dim1=1, dim2=2).sum(1).abs().max() < 1e-14
    for a, b in ((trace, anti), (trace, traceless), (anti, traceless)):
        assert (a * b).sum(dim=(1, 2)).abs().max() < 1e-14


@pytest.mark.parametrize("kind", ["huber", "mse"])
def test_the_loss_is_the_same_in_every_frame_of_reference(kind):
    z, reference, r = random_tensors(seed=1), random_tensors(seed=2), rotation()
    options = {"kind": kind, "delta": 0.8, "weights": (1.0, 2.0, 0.5)}
    turned = tensor_loss(r @ z @ r.T, r @ reference @ r.T, **options)
    torch.testing.assert_close(turned, tensor_loss(z, reference, **options), rtol=1e-12, atol=1e-13)


def test_mse_with_unit_weights_is_half_the_squared_frobenius_norm():
    z, reference = random_tensors(seed=1), random_tensors(seed=2)
    loss = tensor_loss(z, reference, kind="mse", delta=1.0, weights=(1.0, 1.0, 1.0))
    torch.testing.assert_close(loss, ((z - reference) ** 2).sum(dim=(1, 2)) / 2)


def test_weights_switch_parts_off():
    z = random_tensors()
    trace, anti, _ = irreducible_parts(z)
    loss = tensor_loss(z, trace + anti, kind="mse", delta=1.0, weights=(1.0, 1.0, 0.0))
    assert loss.abs().max() < 1e-28  # squares of rounding errors


def test_huber_is_continuous_with_a_bounded_slope():
    x = torch.linspace(0.01, 3.0, 300, dtype=torch.float64, requires_grad=True)
    value = huber(x**2, 0.7)
    (slope,) = torch.autograd.grad(value.sum(), x)
    torch.testing.assert_close(slope, torch.clamp(x, max=0.7).detach(), rtol=1e-12, atol=1e-14)
    at_delta = huber(torch.tensor([0.49 * (1 - 1e-12), 0.49 * (1 + 1e-12)], dtype=torch.float64), 0.7)
    assert abs(float(at_delta[0] - at_delta[1])) < 1e-11


def test_perfect_prediction_has_zero_loss_and_finite_gradient():
    z = random_tensors().requires_grad_(True)
    loss = tensor_loss(z, z.detach(), kind="huber", delta=0.1, weights=(1.0, 1.0, 1.0)).sum()
    (gradient,) = torch.autograd.grad(loss, z)
    assert float(loss.detach()) == 0.0
    assert float(gradient.abs().max()) == 0.0


def test_eps_inf_error_is_relative():
    labels = torch.eye(3, dtype=torch.float64)[None] * torch.tensor([2.0, 20.0])[:, None, None]
    loss = eps_inf_loss(1.05 * labels, labels, 0.1)
    torch.testing.assert_close(loss, torch.full((2,), 0.05**2 / 2, dtype=torch.float64))


def members_with_spread(spread, n=4000, m=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn(n, m, 3, 3, dtype=torch.float64, generator=generator)


@pytest.mark.parametrize("score", ["nll", "crps"])
def test_a_proper_score_is_best_at_the_true_spread(score):
    labels = 0.3 * random_tensors(4000, seed=5)
    zero_mean = members_with_spread(1.0)
    zero_mean = zero_mean - zero_mean.mean(dim=1, keepdim=True)
    zero_mean = zero_mean / torch.sqrt(ensemble_variance(zero_mean, 0.0))[:, None, None, None]
    options = {"score": score, "floor": 1e-6, "detach_mean": True}
    losses = {s: float(ensemble_loss(s * zero_mean, labels, **options).mean()) for s in (0.2, 0.3, 0.45)}
    assert losses[0.3] == min(losses.values())


def test_crps_agrees_with_its_definition_as_an_integral():
    members = members_with_spread(0.4, n=1)
    mean = members.mean(dim=1)
    s = math.sqrt(float(ensemble_variance(members, 0.01)[0]))
    label = torch.full((1, 3, 3), 0.25, dtype=torch.float64)
    value = float(ensemble_loss(members, label, score="crps", floor=0.01, detach_mean=False)[0])
    expected = []
    for mu in mean[0].ravel().tolist():
        low, _ = integrate.quad(lambda x, mu=mu: stats.norm.cdf(x, mu, s) ** 2, -5, 0.25)
        high, _ = integrate.quad(lambda x, mu=mu: (1 - stats.norm.cdf(x, mu, s)) ** 2, 0.25, 5)
        expected.append(low + high)
    assert value == pytest.approx(np.mean(expected), rel=1e-6)  # quadrature error


def test_detached_score_leaves_the_mean_alone():
    members = members_with_spread(0.1, n=5).requires_grad_(True)
    loss = ensemble_loss(members, random_tensors(5), score="nll", floor=0.01, detach_mean=True).sum()
    (gradient,) = torch.autograd.grad(loss, members)
    assert float(gradient.abs().max()) > 0.1
    # the gradient only redistributes members around their mean
    assert float(gradient.sum(dim=1).abs().max()) < 1e-10 * float(gradient.abs().max())


def test_uncertainty_of_an_atom_does_not_depend_on_axes():
    members, r = members_with_spread(0.2, n=10), rotation(3)
    torch.testing.assert_close(
        ensemble_variance(r @ members @ r.T, 0.01), ensemble_variance(members, 0.01), rtol=1e-12, atol=0
    )
