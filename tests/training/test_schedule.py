import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bec_md.training.averaging import WeightAverage, set_weights, swapped_weights
from bec_md.training.config import Optimizer, Schedule
from bec_md.training.schedule import learning_rate, schedule_progress

OPTIMIZER = Optimizer(learning_rate=2e-3, final_ratio=0.05, warmup=0.1)


def test_rate_rises_to_its_maximum_and_falls_to_its_final_part():
    assert learning_rate(0.05, OPTIMIZER) == pytest.approx(1e-3)
    assert learning_rate(0.1, OPTIMIZER) == pytest.approx(2e-3)
    assert learning_rate(1.0, OPTIMIZER) == pytest.approx(1e-4)
    assert learning_rate(0.55, OPTIMIZER) == pytest.approx((2e-3 + 1e-4) / 2)  # middle of the cosine


@given(st.floats(0.1, 1.0), st.floats(0.1, 1.0))
def test_after_the_warm_up_the_rate_never_rises(a, b):
    low, high = sorted((a, b))
    assert learning_rate(high, OPTIMIZER) <= learning_rate(low, OPTIMIZER) * (1 + 1e-12)


def test_the_first_step_moves():
    assert learning_rate(0.0, OPTIMIZER) > 0.0


def test_the_nearer_limit_ends_the_schedule():
    both = Schedule(epochs=10, max_minutes=2.0)
    assert schedule_progress(both, 5.0, 30.0) == 0.5
    assert schedule_progress(both, 1.0, 90.0) == 0.75
    assert schedule_progress(Schedule(epochs=10), 3.0, 1e9) == pytest.approx(0.3)
    assert schedule_progress(both, 1.0, 500.0) == 1.0


def test_average_follows_the_weights_and_forgets_the_start():
    network = torch.nn.Linear(2, 1, dtype=torch.float64)
    average = WeightAverage(network, 0.9)
    with torch.no_grad():
        network.weight.fill_(1.0)
    for step in range(1, 400):
        average.update(network, step)
    torch.testing.assert_close(average.weights["weight"], torch.ones(1, 2, dtype=torch.float64))


def test_swapped_weights_come_back_even_after_an_error():
    network = torch.nn.Linear(2, 1)
    own = network.weight.detach().clone()
    other = {name: p.detach() + 1.0 for name, p in network.named_parameters()}
    with swapped_weights(network, other):
        torch.testing.assert_close(network.weight.detach(), own + 1.0)
    torch.testing.assert_close(network.weight.detach(), own)
    with pytest.raises(RuntimeError), swapped_weights(network, other):
        raise RuntimeError
    torch.testing.assert_close(network.weight.detach(), own)
    set_weights(network, other)
    torch.testing.assert_close(network.weight.detach(), own + 1.0)
