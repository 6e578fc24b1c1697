"""Kernels for training against the same in double precision by PyTorch: values, derivatives, and theirs."""

import pytest
import torch
from torch import Tensor

from bec_md.network.coupling import Coupling
from bec_md.network.messages import Messages
from bec_md.network.network import _load_forward_mode
from bec_md.network.products import STATE_IRREPS, ChannelwiseProduct

EDGES, ATOMS = 40, 7


def bilinear(kind: str):
    """A map of two arrays, and the shapes of these with K channels."""
    generator = torch.Generator().manual_seed(3)
    if kind == "coupling":
        coupling = ChannelwiseProduct(STATE_IRREPS, STATE_IRREPS, 8)._coupling
        return coupling, lambda k: ((ATOMS, 12, k), (ATOMS, 12, k))
    ends = torch.randint(ATOMS, (2, EDGES), generator=generator)
    edges = Messages(ends[0], ends[1], ATOMS, (1, 3, 5))
    if kind == "harmonics":
        return edges.sum_harmonics, lambda k: ((EDGES, 9), (EDGES, 3, k))
    return edges.sum_tensors, lambda k: ((ATOMS, 9, k), (EDGES, 3, k))


def arrays(shapes, dtype: torch.dtype) -> list[Tensor]:
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype) for shape in shapes]


def orders(product, shapes, dtype: torch.dtype) -> list[Tensor]:
    """Values, derivatives of a function of them, of one of these, and of one of those."""
    u, v = (item.requires_grad_() for item in arrays(shapes, dtype))
    found = [product(u, v)]
    for power in (2, 3, 2):
        total = torch.stack([(item**power).sum() for item in found[-2:]]).sum()
        found.extend(torch.autograd.grad(total, [u, v], create_graph=True))
    return found


@pytest.mark.parametrize("channels", [8, 16, 24, 32])
@pytest.mark.parametrize("kind", ["coupling", "harmonics", "tensors"])
def test_all_orders_of_derivatives_are_those_of_double_precision(kind: str, channels: int) -> None:
    product, shapes = bilinear(kind)
    single, double = (orders(product, shapes(channels), dtype) for dtype in (torch.float32, torch.float64))
    assert "_Product" in type(single[0].grad_fn).__name__
    assert "_Product" not in type(double[0].grad_fn).__name__
    for found, expected in zip(single, double, strict=True):
        # a few hundred terms of 24 bits
        assert (found - expected).abs().max() < 3e-6 * expected.abs().max()


@pytest.mark.parametrize("kind", ["coupling", "harmonics", "tensors"])
def test_forward_mode_obeys_the_product_rule(kind: str) -> None:
    _load_forward_mode()
    product, shapes = bilinear(kind)
    u, v = arrays(shapes(16), torch.float32)
    u_rate, v_rate = torch.cos(u), torch.sin(v)
    value, rate = torch.func.jvp(product, (u, v), (u_rate, v_rate))
    torch.testing.assert_close(value, product(u, v), rtol=0, atol=0)
    torch.testing.assert_close(rate, product(u_rate, v) + product(u, v_rate), rtol=0, atol=0)


def test_channels_that_kernels_do_not_take_give_the_same() -> None:
    product, shapes = bilinear("tensors")
    u, v = arrays(shapes(16), torch.float32)
    few = product(u[..., :12].contiguous(), v[..., :12].contiguous())  # twelve: by PyTorch
    torch.testing.assert_close(few, product(u, v)[..., :12], rtol=1e-5, atol=1e-5)


def test_coefficients_are_those_of_the_table() -> None:
    table = torch.zeros(2, 3, 3, dtype=torch.float64)
    table[0, 0, 1], table[1, 2, 2] = 0.5, -2.0
    u, v = arrays(((4, 3, 8), (4, 3, 8)), torch.float32)
    found = Coupling(table)(u, v)
    torch.testing.assert_close(found, torch.stack([0.5 * u[:, 0] * v[:, 1], -2 * u[:, 2] * v[:, 2]], dim=1))
