"""Errors of the shipped models on held-back data, beside two baselines, and whether their bands are right.

    python tests/benchmarks/accuracy.py DATA_FOLDER WORK_FOLDER --figure reliability.png

DATA_FOLDER holds train/ and test/ (extended XYZ with Born effective charges); what else the configurations of
the bundled models name is in this repository. Every test of a model's card is done again with its file. The
baselines learn from the same labels: the mean charge of each element, and a network of one layer, which sees
its neighbors but not theirs, trained for the same few minutes on every data set. Finished trainings are found
again in WORK_FOLDER. The table is printed as Markdown; the figure has a reliability diagram for each test.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from bec_md.evaluation import Evaluation, evaluate_model
from bec_md.network.model_file import read_header
from bec_md.network.registry import BUNDLED, bundled_models
from bec_md.plot import plot_reliability, save_figure
from bec_md.plot.style import WIDTHS_INCH, bare_figure, figure_style, pin_ticks
from bec_md.training.config import TrainingConfig, find_data_file, load_config
from bec_md.training.run import train

COLUMNS = 4  # of the figure
ONE_LAYER = {"channels": 32, "layers": 1, "l_max": 2, "cutoff_ang": 5.0}


def baseline_config(config: TrainingConfig, data: Path, minutes: float) -> TrainingConfig:
    """Return the training of a one-layer network on the labels (not the teachers) of a bundled model."""
    sources = [
        source.model_copy(update={"path": str(located(source.path, data))})
        for source in config.data
        if not source.teachers
    ]
    optimizer = {"learning_rate": 5e-3, "weight_decay": 1e-2, "gradient_clip": 1.0, "ema_decay": 0.998}
    return TrainingConfig.model_validate(
        {
            "name": f"{config.name}-one-layer",
            "data": [source.model_dump() for source in sources],
            "network": ONE_LAYER,
            "optimizer": optimizer,
            "schedule": {"max_minutes": minutes, "validate_minutes": 0.5},
            "batch": config.batch.model_dump(),
            "loss": {"eps_inf": 0.02},
            "seed": config.seed,
        }
    )


def located(path: str, data: Path) -> Path:
    """Return where a file that a bundled configuration names is."""
    return find_data_file(path, config_folder=BUNDLED, data_root=data)


def evaluations(name: str, data: Path, work: Path, minutes: float) -> list[tuple[Evaluation, float, str]]:
    """Evaluate a bundled model and its one-layer network on the tests of its card."""
    card = read_header(BUNDLED / f"{name}.safetensors")["card"]
    learned = next(iter(card.get("shares", [name])))  # what the first network of a mean has learned
    simple = baseline_config(load_config(BUNDLED / f"{learned}.yaml"), data, minutes)
    one_layer = train(simple, output=work / learned, resume=True)
    if one_layer.interrupted:
        raise SystemExit("stopped; the same command goes on from here")
    training = [source.path for source in simple.data]
    rows = []
    for test in card["tests"]:
        path = located(test["path"], data)
        options: dict[str, Any] = {"level": test["level"], "threads": 1}
        shipped = evaluate_model(name, path, training_data=training, **options)
        simple_error = evaluate_model(one_layer.model, path, **options).metrics["rmse_e"]
        rows.append((shipped, float(simple_error), str(test["label"])))
    return rows


def reliability_figure(rows: list[tuple[Evaluation, float, str]], path: Path) -> None:
    """Draw one diagram for each test."""
    shown = [row for row in rows if row[0].metrics.get("calibration", {}).get("bins")]
    lines = math.ceil(len(shown) / COLUMNS)
    with figure_style():
        figure = bare_figure((WIDTHS_INCH["double"], 1.95 * lines))
        panels = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
        for panel, (evaluation, _, label) in zip(panels, shown, strict=False):
            pin_ticks(panel)
            plot_reliability(evaluation, panel)
            panel.tick_params(labelsize=5)
            panel.xaxis.label.set_fontsize(6)
            panel.yaxis.label.set_fontsize(6)
            panel.set_title(f"{evaluation.model}\n{label}", fontsize=6)
            for text in panel.texts:
                text.set_fontsize(4.5)
            if (legend := panel.get_legend()) is not None:  # the caption says what is what
                legend.remove()
        for panel in panels[len(shown) :]:
            panel.set_axis_off()
        save_figure(figure, path)


def main() -> None:
    """Train baselines, evaluate, print, draw."""
    parser = argparse.ArgumentParser(description="Errors of the bundled models beside two baselines.")
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--models", nargs="+", default=sorted(bundled_models()))
    parser.add_argument("--minutes", type=float, default=3.0, help="training of each one-layer network")
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    rows = [row for name in given.models for row in evaluations(name, given.data, given.work, given.minutes)]
    print("| test | model | tensors | RMSE (e) | MAE (e) | median MAE of a frame (e) | ε∞ |", end="")
    print(" RMSE of one layer (e) | of element means (e) | 68 % / 95 % bands hold |")
    print("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for found, one_layer, label in rows:
        m = found.metrics
        eps = f"{100 * m['eps_inf_median_relative']:.1f} %" if "eps_inf_median_relative" in m else ""
        bands = m.get("calibration")
        held = f"{100 * bands['coverage_68']:.0f} / {100 * bands['coverage_95']:.0f} %" if bands else ""
        print(
            f"| {label} | `{found.model}` | {m['n_tensors']:,} | {m['rmse_e']:.4f} | {m['mae_e']:.4f} "
            f"| {m['median_frame_mae_e']:.4f} | {eps} | {one_layer:.3f} "
            f"| {m['baselines']['element_mean']['rmse_e']:.3f} | {held} |"
        )
    if given.figure is not None:
        reliability_figure(rows, given.figure)


if __name__ == "__main__":
    main()
