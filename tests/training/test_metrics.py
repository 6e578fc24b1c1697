import numpy as np
import pytest

from bec_md.evaluation.metrics import (
    calibration,
    eps_inf_errors,
    per_element_errors,
    rank_correlation,
    sum_rule_residual,
    tensor_errors,
)


def labels_and_frames(n=60, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(0, 1, (n, 3, 3)), np.repeat(np.arange(n // 6), 6)


def test_a_constant_error_gives_the_same_number_everywhere():
    labels, frame = labels_and_frames()
    errors = tensor_errors(labels + 0.1, labels, frame)
    for key in ("rmse_e", "mae_e", "median_frame_rmse_e", "median_frame_mae_e", "diagonal_rmse_e"):
        assert errors[key] == pytest.approx(0.1)
    np.testing.assert_allclose(errors["mae_components_e"], 0.1)
    assert errors["antisymmetric_rmse_e"] == pytest.approx(0.0, abs=1e-15)  # a symmetric error
    assert errors["n_tensors"] == 60
    assert errors["n_frames"] == 10


def test_r2_is_one_for_perfect_and_zero_for_the_mean():
    labels, frame = labels_and_frames()
    assert tensor_errors(labels, labels, frame)["r2"] == 1.0
    mean = np.broadcast_to(labels.mean(axis=0), labels.shape)
    assert tensor_errors(mean, labels, frame)["r2"] == pytest.approx(0.0, abs=1e-12)


def test_median_over_frames_is_blind_to_one_bad_crystal():
    labels, frame = labels_and_frames()
    predicted = labels + 0.01
    predicted[frame == 0] += 5.0
    errors = tensor_errors(predicted, labels, frame)
    assert errors["rmse_e"] > 1.0
    assert errors["median_frame_rmse_e"] == pytest.approx(0.01)


def test_antisymmetric_error_counts_three_components():
    labels, frame = labels_and_frames()
    twist = np.zeros((3, 3))
    twist[0, 1], twist[1, 0] = 0.3, -0.3
    errors = tensor_errors(labels + twist, labels, frame)
    assert errors["antisymmetric_rmse_e"] == pytest.approx(0.3 / np.sqrt(3))


def test_elements_are_listed_by_symbol():
    labels, _ = labels_and_frames()
    numbers = np.where(np.arange(60) % 3 == 0, 14, 8)
    table = per_element_errors(labels + np.where(numbers == 14, 0.2, 0.1)[:, None, None], labels, numbers)
    assert set(table) == {"Si", "O"}
    assert table["Si"]["rmse_e"] == pytest.approx(0.2)
    assert table["O"]["n_tensors"] == 40
    assert table["O"]["mean_predicted_e"] - table["O"]["mean_charge_e"] == pytest.approx(0.1)


def test_sum_rule_residual_is_per_atom_and_knows_the_net_charge():
    frame = np.repeat([0, 1], 4)
    charges = np.broadcast_to(np.eye(3) * 0.25, (8, 3, 3))
    assert sum_rule_residual(charges, frame, np.array([1.0, 1.0])) == pytest.approx(0.0, abs=1e-15)
    assert sum_rule_residual(charges, frame, np.array([0.0, 0.0])) == pytest.approx(0.25)


def test_eps_inf_errors_are_relative_per_crystal():
    labels = np.eye(3) * np.array([2.0, 5.0, 30.0])[:, None, None]
    errors = eps_inf_errors(labels * 1.1, labels)
    assert errors["eps_inf_median_relative"] == pytest.approx(0.1)
    assert errors["eps_inf_trace_median_relative"] == pytest.approx(0.1)
    assert errors["eps_inf_mae"] == pytest.approx((0.2 + 0.5 + 3.0) / 9)


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_calibration_recovers_the_factor_between_stated_and_true_spread(factor):
    generator = np.random.default_rng(0)
    true = generator.uniform(0.02, 0.2, 4000)
    error = generator.normal(0, 1, (4000, 3, 3)) * true[:, None, None]
    table = calibration(error, true / factor)
    # 36,000 samples: standard error of a standard deviation 0.4 %
    assert table["scale"] == pytest.approx(factor, rel=0.02)
    if factor == 1.0:
        assert table["coverage_68"] == pytest.approx(0.6827, abs=0.01)
        assert table["coverage_95"] == pytest.approx(0.95, abs=0.005)
        assert table["ence"] < 0.03
    assert table["rank_correlation"] > 0.8
    found = [row["rmse_e"] for row in table["bins"]]
    assert found == sorted(found)
    assert sum(row["count"] for row in table["bins"]) == 4000


def test_rank_correlation_sees_any_monotone_relation():
    x = np.linspace(0.1, 2.0, 50)
    assert rank_correlation(x, np.exp(x)) == pytest.approx(1.0)
    assert rank_correlation(x, -(x**3)) == pytest.approx(-1.0)
