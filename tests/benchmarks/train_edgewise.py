"""Train the edge-wise network of the benchmark on quartz, and print its error beside that of a shipped model.

    python tests/benchmarks/train_edgewise.py DATA_FOLDER MINUTES

DATA_FOLDER holds train/sio2_train.xyz and test/sio2_test.xyz (extended XYZ with Born effective charges). A
plain loop: AdamW, Huber loss, a learning rate that falls to zero with the time, averaged weights.
MINUTES are of processor time, so that the result does not depend on what else runs.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch

from bec_md.bench.edgewise import EdgewiseNetwork
from bec_md.network import load_model
from bec_md.training.allocator import keep_freed_memory
from bec_md.training.dataset import GraphDataset, build_dataset, element_means
from bec_md.training.extxyz import LabelledFrame, read_frames

LEVEL = "pbe-finite-field"


def train(network: EdgewiseNetwork, data: GraphDataset, minutes: float, rate: float, batch: int) -> int:
    """Train until the time is over; returns the number of steps."""
    for element, charge in element_means(data).items():
        network.reference_charge.weight.data[element] = charge
    parameters = list(network.parameters())
    averages = [parameter.detach().clone() for parameter in parameters]
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=1e-3, fused=True)
    rng = np.random.default_rng(1)
    begin, steps = time.process_time(), 0
    while (done := (time.process_time() - begin) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (steps + 1) / 50) * 0.5 * (1 + math.cos(math.pi * done))
        picked = data.batch(rng.choice(len(data), size=batch, replace=False))
        optimizer.zero_grad()
        loss = torch.nn.functional.huber_loss(network(picked.graph), picked.charges, delta=0.1)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 2.0)
        optimizer.step()
        steps += 1
        keep = min(0.99, steps / (steps + 10))  # of the average, so that its start is forgotten
        for average, parameter in zip(averages, parameters, strict=True):
            average.lerp_(parameter.detach(), 1 - keep)
        if steps % 20 == 0:
            print(
                f"step {steps}: loss {float(loss.detach()):.3e}, {100 * done:.0f} % of the time", flush=True
            )
    for average, parameter in zip(averages, parameters, strict=True):
        parameter.data.copy_(average)
    return steps


def rmse(predicted: np.ndarray, frames: list[LabelledFrame]) -> float:
    """Root mean square error of all components, e."""
    labels = np.concatenate([frame.born_effective_charges for frame in frames])
    return float(np.sqrt(np.square(predicted - labels).mean()))


def main() -> None:
    """Train, test, compare."""
    parser = argparse.ArgumentParser(description="Train the edge-wise network on quartz.")
    parser.add_argument("data", type=Path)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--batch", type=int, default=4, help="frames")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--model", default="auto")
    given = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(given.threads)
    torch.manual_seed(1)
    network = EdgewiseNetwork()
    training = read_frames(given.data / "train" / "sio2_train.xyz")
    data = build_dataset(training, network.cutoff_ang, level=0)
    test = read_frames(given.data / "test" / "sio2_test.xyz")
    cpu = time.process_time()
    steps = train(network, data, given.minutes, given.rate, given.batch)
    epochs = steps * given.batch / len(data)
    print(f"{steps} steps, {epochs:.1f} epochs, {time.process_time() - cpu:.0f} s of processor time")
    held = build_dataset(test, network.cutoff_ang, level=0)
    with torch.inference_mode():
        predicted = [network(held.batch([index]).graph).double().numpy() for index in range(len(held))]
    print(f"edge-wise, trained here: test RMSE {rmse(np.concatenate(predicted), test):.4f} e")
    model = load_model(given.model, elements=(8, 14), level=LEVEL)
    own = [model.predict_batch([frame]).born_effective_charges[0] for frame in test]  # type: ignore[list-item]
    print(f"{model.name} as shipped:     test RMSE {rmse(np.concatenate(own), test):.4f} e")


if __name__ == "__main__":
    main()
