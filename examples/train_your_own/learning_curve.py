"""Fine-tune the universal network on a few DFT frames, and measure its error on frames held out.

    python learning_curve.py [--frames 5 10 16] [--folds 2] [--work FOLDER]

Of all labelled frames every fold holds out another part; the first n of the others are trained on, one in ten
of them held back to calibrate the uncertainty. Writes `learning_curve.csv`, and `model.safetensors`: the
network of the largest n in the first fold.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bec_md.evaluation import Evaluation, evaluate_model
from bec_md.structure import Frame
from bec_md.structure.extxyz import read_frames, write_frames
from bec_md.training import train
from bec_md.training.config import TrainingConfig

HERE = Path(__file__).parent
LABELS = sorted((HERE.parent / "labels").glob("*zro2_t*.xyz.xz"))
BEFORE = "pbe"  # level of theory of the universal model that the training starts from
KEPT = ("rmse_e", "mae_e", "antisymmetric_rmse_e", "eps_inf_mae")


@dataclass(frozen=True)
class Point:
    """Errors of one model: how many frames it has seen, in which fold, what it got wrong."""

    frames: int
    fold: int
    errors: dict[str, float]
    seconds: float


def labelled_frames(paths: Sequence[Path], match: str = "*") -> list[Frame]:
    """Return the frames whose name fits in random order, the same every time: neighbors are often alike."""
    frames = [frame for path in paths for frame in read_frames(path)]
    found = [frame for frame in frames if fnmatch(str(frame.info.get("name", "")), match)]
    return [found[index] for index in np.random.default_rng(0).permutation(len(found))]


def split(frames: Sequence[Frame], held_out: int, fold: int) -> tuple[list[Frame], list[Frame]]:
    """Return the frames for training and those held out in a fold, another part in every fold."""
    first = fold * held_out % len(frames)
    turned = [*frames[first:], *frames[:first]]
    return turned[held_out:], turned[:held_out]


def configuration(n_frames: int, steps: int) -> TrainingConfig:
    """Return config.yaml with as many epochs as give about this number of steps."""
    settings: dict[str, Any] = yaml.safe_load((HERE / "config.yaml").read_text(encoding="utf-8"))
    per_epoch = max(1, round(n_frames / 6))
    settings["schedule"] = {"epochs": max(1, round(steps / per_epoch))}
    if n_frames < 10:  # one frame of five would be missed: calibrate on the rest
        settings["data"][0]["validation"] = 1.0 / n_frames
    return TrainingConfig.model_validate(settings)


def errors(model: str | Path, data: Path, level: str | None = None) -> Evaluation:
    """Compare a model with the labels of a file."""
    return evaluate_model(model, data, level=level, engine="torch", threads=1)


def point(frames: list[Frame], held_out: Path, fold: int, steps: int, folder: Path) -> Point:
    """Train on these frames and measure the error on the file held out."""
    import time

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_frames(folder / "train.xyz", frames)
    config = configuration(len(frames), steps)
    begin = time.monotonic()
    result = train(config, data_root=folder, output=folder / "run", report=lambda line: None)
    seconds = time.monotonic() - begin
    metrics = errors(result.model, held_out).metrics
    return Point(len(frames), fold, {key: float(metrics[key]) for key in KEPT if key in metrics}, seconds)


def learning_curve(
    frames: Sequence[Frame], options: argparse.Namespace, sizes: Sequence[int], work: Path
) -> list[Point]:
    """Return the errors before training (0 frames) and after training on each number of frames."""
    points = []
    for fold in range(options.folds):
        rest, out = split(frames, options.held_out, fold)
        held_out = work / f"held_out_{fold}.xyz"
        work.mkdir(parents=True, exist_ok=True)
        write_frames(held_out, out)
        metrics = errors("universal", held_out, BEFORE).metrics
        points.append(Point(0, fold, {key: float(metrics[key]) for key in KEPT if key in metrics}, 0.0))
        for size in sorted(min(size, len(rest)) for size in sizes):
            folder = work / f"frames_{size}_fold_{fold}"
            points.append(point(rest[:size], held_out, fold, options.steps, folder))
            write_table(points, work / "learning_curve.csv")
            print(
                f"fold {fold}, {size} frames: RMSE {points[-1].errors['rmse_e']:.4f} e "
                f"(before: {metrics['rmse_e']:.4f} e), {points[-1].seconds:.0f} s",
                flush=True,
            )
    return points


def write_table(points: Sequence[Point], path: Path) -> None:
    """Write one row per model."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["frames", "fold", *points[0].errors, "seconds"])
        for item in points:
            row = [f"{value:.5f}" for value in item.errors.values()]
            writer.writerow([item.frames, item.fold, *row, f"{item.seconds:.0f}"])


def main() -> None:
    """Train all models and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=Path, nargs="+", default=LABELS, help="labelled structures")
    parser.add_argument("--match", default="t-ZrO2_*", help="only frames with such a name")
    parser.add_argument("--frames", type=int, nargs="+", default=[5, 10, 16])
    parser.add_argument("--held-out", type=int, default=4, help="frames to measure the error on")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=240, help="optimizer steps of each training")
    parser.add_argument("--work", type=Path, default=Path("train_your_own"), help="folder of the runs")
    options = parser.parse_args()

    frames = labelled_frames(options.labels, options.match)
    points = learning_curve(frames, options, options.frames, options.work)
    most = max(item.frames for item in points)
    model = options.work / "model.safetensors"
    shutil.copy(options.work / f"frames_{most}_fold_0" / "run" / "model.safetensors", model)
    print(f"{model}: trained on {most} frames")


if __name__ == "__main__":
    main()
