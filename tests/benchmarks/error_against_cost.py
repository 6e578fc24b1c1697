"""Error against cost: the same training with other widths, degrees, depths and cutoffs of the network.

    python tests/benchmarks/error_against_cost.py DATA_FOLDER WORK_FOLDER [--systems quartz water]

DATA_FOLDER holds train/ and test/ (extended XYZ with Born effective charges). Every network sees the same
frames as often, in the same order, from random weights; its error is the one on the test file, its costs are
processor times of the native evaluation (Atoms → Z*, one thread) and of training. Finished trainings are
found again in WORK_FOLDER, stopped ones go on, and the table is printed as Markdown.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bec_md.evaluation import evaluate_model
from bec_md.network import load_model
from bec_md.structure import Frame
from bec_md.structure.extxyz import read_frames
from bec_md.training.config import TrainingConfig
from bec_md.training.run import train

BASE: dict[str, Any] = {
    "channels": 32,
    "l_max": 2,
    "layers": 2,
    "cutoff_ang": 5.0,
    "sent_tensor_channels": 16,
}
VARIATIONS: dict[str, dict[str, Any]] = {
    "base": {},
    "16 channels": {"channels": 16, "sent_tensor_channels": 8},
    "24 channels": {"channels": 24, "sent_tensor_channels": 12},
    "48 channels": {"channels": 48},
    "64 channels": {"channels": 64},
    "l ≤ 3": {"l_max": 3},
    "1 layer": {"layers": 1},
    "3 layers": {"layers": 3},
    "4 Å": {"cutoff_ang": 4.0},
    "6 Å": {"cutoff_ang": 6.0},
    "no tensors sent": {"sent_tensor_channels": 0},
    "8 tensors sent": {"sent_tensor_channels": 8},
    "32 tensors sent": {"sent_tensor_channels": 32},
}
SYSTEMS: dict[str, dict[str, Any]] = {
    "quartz": {"file": "sio2", "level": "pbe-finite-field", "neighbors": 43.0, "edges": 6100},
    "water": {"file": "water", "level": "rpbe-d3", "neighbors": 54.0, "edges": 10500},
    "BaTiO3": {"file": "batio3", "level": "pbe-gamma-only", "neighbors": 40.0, "edges": 11000},
}
TIMED_ATOMS = 2000  # in one call
ROUNDS = 7


def configuration(system: dict[str, Any], network: dict[str, Any], epochs: int) -> TrainingConfig:
    """Return the training that is the same for all networks but for `network`."""
    given = BASE | network
    density = (given["cutoff_ang"] / BASE["cutoff_ang"]) ** 3  # neighbors and edges grow with the sphere
    return TrainingConfig.model_validate(
        {
            "data": [
                {
                    "path": f"train/{system['file']}_train.xyz",
                    "level": system["level"],
                    "validation": 0.05,
                    "split": "block",
                }
            ],
            "network": given | {"mean_neighbors": system["neighbors"] * density},
            "optimizer": {
                "learning_rate": 5e-3,
                "weight_decay": 1e-2,
                "gradient_clip": 1.0,
                "ema_decay": 0.998,
            },
            "schedule": {"epochs": epochs, "validate_minutes": 1.0, "checkpoint_minutes": 1.0},
            "batch": {"max_edges": int(system["edges"] * density)},
            "loss": {"eps_inf": 0.0},
            "seed": 1,
        }
    )


def microseconds_per_atom(model: Path, frames: list[Frame]) -> float:
    """Median processor time of the native evaluation of one batch, one thread."""
    network = load_model(str(model), engine="native", threads=1)
    batch = [frames[k % len(frames)] for k in range(-(-TIMED_ATOMS // len(frames[0].numbers)))]
    times = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        network.predict_batch(batch)  # type: ignore[arg-type]
        times.append(time.process_time() - begin)
    return 1e6 * float(np.median(times)) / sum(len(frame.numbers) for frame in batch)


def measure(name: str, label: str, epochs: int, data: Path, work: Path) -> dict[str, float]:
    """Train one network, or find it trained, and measure it."""
    system = SYSTEMS[name]
    folder = work / name / label.replace(" ", "_").replace("≤", "le")
    stored = folder / "measured.json"
    if stored.exists():
        return dict(json.loads(stored.read_text(encoding="utf-8")))
    before = time.process_time()
    config = configuration(system, VARIATIONS[label], epochs)
    result = train(config, data_root=data, output=folder, resume=True)
    if result.interrupted:
        raise SystemExit("stopped; the same command goes on from here")
    minutes = (time.process_time() - before) / 60
    test = data / "test" / f"{system['file']}_test.xyz"
    metrics = evaluate_model(str(result.model), str(test), level=system["level"], threads=1).metrics
    row = {
        "rmse_e": float(metrics["rmse_e"]),
        "antisymmetric_rmse_e": float(metrics["antisymmetric_rmse_e"]),
        "us_per_atom": microseconds_per_atom(result.model, read_frames(test)),
        "training_minutes": minutes,
        "parameters": float(load_model(str(result.model)).card["training"]["n_parameters"]),
    }
    stored.write_text(json.dumps(row, indent=1), encoding="utf-8")
    return row


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description="Error of the network against its cost.")
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=["quartz", "water"])
    parser.add_argument("--networks", nargs="+", choices=list(VARIATIONS), default=list(VARIATIONS))
    parser.add_argument("--epochs", type=int, default=60)
    given = parser.parse_args()
    rows = []
    for name in given.systems:
        for label in given.networks:
            row = measure(name, label, given.epochs, given.data, given.work)
            rows.append(
                f"| {name} | {label} | {row['parameters']:,.0f} | {row['rmse_e']:.4f} "
                f"| {row['antisymmetric_rmse_e']:.4f} | {row['us_per_atom']:.1f} "
                f"| {row['training_minutes']:.1f} |"
            )
            print(rows[-1], file=sys.stderr, flush=True)
    print("| system | network | parameters | RMSE (e) | antisymmetric (e) | µs/atom | training (min) |")
    print("|---|---|---:|---:|---:|---:|---:|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
