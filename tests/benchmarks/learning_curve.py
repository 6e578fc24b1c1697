"""Learning curves: error on unseen data against the number of training structures.

    python tests/benchmarks/learning_curve.py motion DATA WORK [--sizes 24 47] [--readouts charges]
    python tests/benchmarks/learning_curve.py crystals DATA WORK [--sizes 525 1050 2100 4200]

motion: BaTiO3 at finite temperature (train/batio3_train.xyz, test/batio3_test.xyz), by a network that
predicts Z* and by one that predicts a polarization. crystals: compositions that no training crystal has
(train/phonondb_train.xyz, test/phonondb_test.xyz), by a network that predicts Z*, from random weights. A
part of the training file is held back to choose the weights. Smaller sets are seen more often: epochs grow
as 1/√structures. Finished trainings are found again in WORK, stopped ones go on; the table is printed as
Markdown, with the power law through all sizes.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bec_md.evaluation import evaluate_model
from bec_md.network.config import readouts
from bec_md.training.config import TrainingConfig
from bec_md.training.run import train

SHAPE = {"channels": 32, "sent_tensor_channels": 16, "layers": 2, "cutoff_ang": 5.0}


@dataclass(frozen=True)
class Course:
    """What is learned from one file, and how it is judged."""

    train: str
    test: str
    level: str
    whole: int  # structures that are not held back
    epochs: int  # for them
    sizes: tuple[int, ...]
    split: dict[str, Any]
    settings: dict[str, Any]
    readouts: dict[str, dict[str, Any]]


def settings(
    *, weight_decay: float, clip: float, average: float, edges: int, minutes: float, select: str
) -> dict[str, Any]:
    """Return the sections of a configuration that all read-outs of a course share."""
    optimizer = {"weight_decay": weight_decay, "gradient_clip": clip, "ema_decay": average}
    return {
        "optimizer": {"learning_rate": 4e-3, **optimizer},
        "schedule": {"validate_minutes": minutes},
        "batch": {"max_edges": edges},
        "selection": select,
    }


COURSES = {
    "motion": Course(
        "train/batio3_train.xyz",
        "test/batio3_test.xyz",
        "pbe-gamma-only",
        47,
        90,
        (24, 47),
        {"validation": 0.05, "split": "block"},
        settings(weight_decay=2e-2, clip=1.0, average=0.998, edges=5500, minutes=1.0, select="rmse"),
        {
            "charges": {
                "network": SHAPE,
                "loss": {"eps_inf": 0.02, "ensemble": 0.1, "ensemble_score": "crps"},
            },
            "dipole": {
                "network": {"readouts": readouts("dipole", 1), **SHAPE},
                "loss": {"kind": "mse", "eps_inf": 0.02},
            },
        },
    ),
    "crystals": Course(
        "train/phonondb_train.xyz",
        "test/phonondb_test.xyz",
        "pbesol",
        4200,
        24,
        (525, 1050, 2100, 4200),
        {"validation": 0.03, "split": "composition"},
        settings(weight_decay=5e-3, clip=2.0, average=0.999, edges=14000, minutes=3.0, select="mae"),
        {
            "charges": {
                "network": {**SHAPE, "mean_neighbors": 40},
                "loss": {"kind": "huber", "delta_e": 0.1, "per": "root", "eps_inf": 0.05},
            }
        },
    ),
}


def configuration(course: Course, readout: str, size: int) -> TrainingConfig:
    """Return the training with `size` structures."""
    source = {"path": course.train, "level": course.level, "limit": size, **course.split}
    sections = {**course.settings, **course.readouts[readout]}
    epochs = round(course.epochs * (course.whole / size) ** 0.5)
    sections["schedule"] = {**sections["schedule"], "epochs": epochs}
    name = f"{Path(course.train).stem}-{readout}-{size}"
    return TrainingConfig.model_validate({"name": name, "data": [source], "seed": 1, **sections})


def measure(course: Course, readout: str, size: int, data: Path, work: Path) -> dict[str, float]:
    """Train, or find trained, and evaluate on the test file."""
    config = configuration(course, readout, size)
    result = train(config, data_root=data, output=work / config.name, resume=True)
    if result.interrupted:
        raise SystemExit("stopped; the same command goes on from here")
    metrics = evaluate_model(result.model, data / course.test, level=course.level, threads=1).metrics
    return {
        "RMSE (e)": metrics["rmse_e"],
        "MAE (e)": metrics["mae_e"],
        "median MAE of a structure (e)": metrics["median_frame_mae_e"],
        "training (min)": result.minutes,
    }


def power_law(sizes: list[int], errors: list[float]) -> tuple[float, float]:
    """Exponent p of error = c·size^−p, fitted to the logarithms, and its standard error (nan for two)."""
    x, y = np.log(sizes), np.log(errors)
    slope, offset = np.polyfit(x, y, 1)
    if len(sizes) == 2:
        return -slope, float("nan")
    scatter = np.sum((y - slope * x - offset) ** 2) / (len(sizes) - 2)
    return -slope, float(np.sqrt(scatter / np.sum((x - x.mean()) ** 2)))


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description="Error against the number of training structures.")
    parser.add_argument("course", choices=list(COURSES))
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--sizes", nargs="+", type=int)
    parser.add_argument("--readouts", nargs="+")
    given = parser.parse_args()
    course = COURSES[given.course]
    found = {
        readout: {
            size: measure(course, readout, size, given.data, given.work)
            for size in given.sizes or course.sizes
        }
        for readout in given.readouts or course.readouts
    }
    names = list(next(iter(next(iter(found.values())).values())))
    print(f"| read-out | structures | {' | '.join(names)} |\n|---|---:|" + "---:|" * len(names))
    for readout, rows in found.items():
        for size, row in rows.items():
            *errors, minutes = row.values()
            print(f"| {readout} | {size:,} | {' | '.join(f'{e:.4f}' for e in errors)} | {minutes:.1f} |")
    for readout, rows in found.items():
        for name in names[:-1]:
            exponent, error = power_law(list(rows), [row[name] for row in rows.values()])
            print(f"{readout}: {name} falls as the {exponent:.2f} ± {error:.2f}th power of the number")


if __name__ == "__main__":
    main()
