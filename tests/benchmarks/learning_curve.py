"""Learning curve on BaTiO3 in motion: a network that predicts Z*, and one that predicts a polarization.

    python tests/benchmarks/learning_curve.py DATA_FOLDER WORK_FOLDER [--sizes 24 47] [--readouts charges]

DATA_FOLDER holds train/batio3_train.xyz and test/batio3_test.xyz. The last twentieth of the training file is
held back to choose the weights. Smaller sets are seen more often: epochs grow as 1/√frames.
Finished trainings are found again in WORK_FOLDER, stopped ones go on; the table is printed as Markdown.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from bec_md.evaluation import evaluate_model
from bec_md.network.config import readouts
from bec_md.training.config import TrainingConfig
from bec_md.training.run import train

LEVEL = "pbe-gamma-only"
WHOLE = 47  # frames that are not held back
EPOCHS = 90  # for them
SHAPE = {"channels": 32, "sent_tensor_channels": 16, "layers": 2, "cutoff_ang": 5.0}
READOUTS: dict[str, dict[str, Any]] = {
    "charges": {"network": SHAPE, "loss": {"eps_inf": 0.02, "ensemble": 0.1, "ensemble_score": "crps"}},
    "dipole": {
        "network": {"readouts": readouts("dipole", 1), **SHAPE},
        "loss": {"kind": "mse", "eps_inf": 0.02},
    },
}


def configuration(readout: str, size: int) -> TrainingConfig:
    """Return the training with `size` frames."""
    source: dict[str, Any] = {
        "path": "train/batio3_train.xyz",
        "level": LEVEL,
        "validation": 0.05,
        "split": "block",
        "limit": size if size < WHOLE else None,
    }
    return TrainingConfig.model_validate(
        {
            "name": f"batio3-{readout}-{size}",
            "data": [source],
            "optimizer": {
                "learning_rate": 4e-3,
                "weight_decay": 2e-2,
                "gradient_clip": 1.0,
                "ema_decay": 0.998,
            },
            "schedule": {"epochs": round(EPOCHS * (WHOLE / size) ** 0.5), "validate_minutes": 1.0},
            "batch": {"max_edges": 5500},
            "selection": "rmse",
            "seed": 1,
            **READOUTS[readout],
        }
    )


def measure(readout: str, size: int, data: Path, work: Path) -> dict[str, float]:
    """Train, or find trained, and evaluate on the test file."""
    result = train(
        configuration(readout, size), data_root=data, output=work / f"{readout}_{size}", resume=True
    )
    if result.interrupted:
        raise SystemExit("stopped; the same command goes on from here")
    metrics = evaluate_model(result.model, data / "test/batio3_test.xyz", level=LEVEL, threads=1).metrics
    return {"rmse_e": metrics["rmse_e"], "mae_e": metrics["mae_e"], "minutes": result.minutes}


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description="Error against the number of training frames.")
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--sizes", nargs="+", type=int, default=[24, WHOLE])
    parser.add_argument("--readouts", nargs="+", choices=list(READOUTS), default=list(READOUTS))
    given = parser.parse_args()
    found = {
        readout: {size: measure(readout, size, given.data, given.work) for size in given.sizes}
        for readout in given.readouts
    }
    print("| read-out | frames | RMSE (e) | MAE (e) | training (min) |")
    print("|---|---:|---:|---:|---:|")
    for readout, rows in found.items():
        for size, row in rows.items():
            print(f"| {readout} | {size} | {row['rmse_e']:.4f} | {row['mae_e']:.4f} | {row['minutes']:.1f} |")


if __name__ == "__main__":
    main()
