"""Parity, reliability and the course of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bec_md.errors import DataError, UsageError
from bec_md.evaluation import Evaluation, compare
from bec_md.plot import figure_of_errors, plot_loss_curve, plot_parity, plot_reliability

ROWS = [
    {"epoch": 1.0, "minutes": 2.0, "train_rmse_e": 0.4, "quartz_rmse_e": 0.5, "quartz_mae_e": 0.3},
    {"epoch": 2.0, "minutes": 4.0, "train_rmse_e": 0.2, "quartz_rmse_e": 0.3, "quartz_mae_e": 0.2},
]


def evaluation(uncertain: bool = True) -> Evaluation:
    rng = np.random.default_rng(3)
    numbers = np.tile([14, 8, 8], 40)
    labels = np.where(numbers == 14, 3.4, -1.7)[:, None, None] * np.eye(3) + 0.2 * rng.normal(
        size=(120, 3, 3)
    )
    uncertainty = np.exp(rng.normal(-3.0, 0.5, size=120))
    predicted = labels + uncertainty[:, None, None] * rng.normal(size=labels.shape)
    return compare(
        model="m",
        data="d",
        numbers=numbers,
        frame=np.repeat(np.arange(40), 3),
        labels=labels,
        predicted=predicted,
        total_charge=np.zeros(40),
        uncertainty_e=uncertainty if uncertain else None,
    )


def test_parity_shows_every_component_of_every_element() -> None:
    item = evaluation()
    axes = plot_parity(item)
    lines = {line.get_label(): line for line in axes.get_lines()}
    for name, number in (("Si", 14), ("O", 8)):
        mine = item.numbers == number
        assert_allclose(lines[name].get_xdata(), item.labels[mine].ravel())
        assert_allclose(lines[name].get_ydata(), item.predicted[mine].ravel())
    assert f"RMSE {item.metrics['rmse_e']:.3g}" in axes.texts[0].get_text()
    assert axes.get_xlim() == axes.get_ylim()


def test_parity_of_arrays_and_of_many_elements() -> None:
    labels = np.random.default_rng(0).normal(size=(20, 3, 3))
    axes = plot_parity(labels, labels, numbers=np.arange(1, 21), max_elements=4)
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names[-1] == "17 others"
    assert len(names) == 4
    with pytest.raises(UsageError, match="one by one"):
        plot_parity(labels)


def test_reliability_draws_the_calibration_table() -> None:
    item = evaluation()
    container = plot_reliability(item).containers[0]
    bins = item.metrics["calibration"]["bins"]
    assert_allclose(container[0].get_xdata(), [row["uncertainty_e"] for row in bins])
    assert_allclose(container[0].get_ydata(), [row["rmse_e"] for row in bins])


def test_reliability_needs_an_uncertainty() -> None:
    with pytest.raises(DataError, match="calibration"):
        plot_reliability(evaluation(uncertain=False))


def test_loss_curve_reads_the_log(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("epoch,minutes,train_rmse_e,quartz_rmse_e,quartz_mae_e\n1,2,,0.5,0.3\n2,4,0.2,0.3,0.2\n")
    training, quartz = plot_loss_curve(path, against="minutes").get_lines()
    assert_allclose(training.get_xdata(), [4.0])  # nothing was trained before the first validation
    assert_allclose(quartz.get_xdata(), [2.0, 4.0])
    assert_allclose(quartz.get_ydata(), [0.5, 0.3])
    assert quartz.get_label() == "quartz"


def test_loss_curve_of_another_error() -> None:
    (line,) = plot_loss_curve(ROWS, error="mae").get_lines()
    assert_allclose(line.get_ydata(), [0.3, 0.2])
    with pytest.raises(DataError, match="no curves"):
        plot_loss_curve([])


def test_held_back_files_of_any_name_have_their_curve() -> None:
    row = {"epoch": 1.0, "train_rmse_e": 0.4, "train__mae_e": 0.2, "train__median_frame_mae_e": 0.1}
    row |= {"train_water_rmse_e": 0.3, "water_train_rmse_e": 0.2}
    labels = [line.get_label() for line in plot_loss_curve([row]).get_lines()]
    assert labels == ["training", "train_water", "water_train"]
    (line,) = plot_loss_curve([row], error="mae").get_lines()  # no curve of medians over frames
    assert line.get_label() == "train_"


def test_parity_of_a_part_shows_its_components_only() -> None:
    item = evaluation()
    silicon = item.numbers == 14
    for part, count in (("diagonal", 3), ("antisymmetric", 3)):
        axes = plot_parity(item, part=part)
        line = next(line for line in axes.get_lines() if line.get_label() == "Si")
        assert len(line.get_xdata()) == count * silicon.sum()
    labels = item.labels[silicon]
    expected = [(z[a, b] - z[b, a]) / 2 for z in labels for a, b in ((0, 1), (0, 2), (1, 2))]
    assert_allclose(line.get_xdata(), expected)
    with pytest.raises(UsageError, match="no part 'trace'"):
        plot_parity(item, part="trace")


@pytest.mark.parametrize("uncertain", [True, False])
def test_the_figure_of_errors_has_reliability_only_where_there_is_uncertainty(uncertain: bool) -> None:
    figure = figure_of_errors(evaluation(uncertain))
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert len(labels) == (3 if uncertain else 2)
    assert "Z^*_{aa}" in labels[0]
    assert "Z^*_{ba}" in labels[1]
    assert ("uncertainty" in labels[-1]) == uncertain
