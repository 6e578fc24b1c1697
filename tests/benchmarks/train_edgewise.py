"""Train the edge-wise network of the benchmark on quartz, and print its error beside that of a shipped model.

    python tests/benchmarks/train_edgewise.py DATA_FOLDER MINUTES

DATA_FOLDER holds train/sio2_train.xyz and test/sio2_test.xyz (extended XYZ with Born effective charges). A
plain loop: AdamW, Huber loss, a rate that falls to zero in the last third of the time, averaged weights.
MINUTES are of processor time, so that the result does not depend on what else runs. Every few of them the
averaged weights are tested (outside that time) and, with --checkpoint FILE, everything is stored; the same
command with other MINUTES goes on from there.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch

from bec_md.network import load_model
from bec_md.structure import Frame
from bec_md.structure.extxyz import read_frames
from bec_md.training.allocator import keep_freed_memory
from bec_md.training.dataset import GraphDataset, build_dataset, element_means
from tests.benchmarks.evaluation.edgewise import EdgewiseNetwork

LEVEL = "pbe-finite-field"
#: The learning rate falls in the last part of the time.
FALL = 0.33


@dataclass
class Run:
    """A training run that can be stored and continued."""

    network: EdgewiseNetwork
    averages: list[torch.Tensor]
    optimizer: torch.optim.AdamW
    rate: float
    batch: int
    steps: int = 0
    seconds: float = 0.0

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """Parameters of the network."""
        return list(self.network.parameters())

    def save(self, path: Path) -> None:
        """Store everything but the random numbers."""
        state = {"network": self.network.state_dict(), "averages": self.averages, "steps": self.steps}
        state |= {"optimizer": self.optimizer.state_dict(), "seconds": self.seconds}
        torch.save(state, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)

    def load(self, path: Path) -> None:
        """Go on from a stored run."""
        state = torch.load(path, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.averages, self.steps, self.seconds = state["averages"], state["steps"], state["seconds"]

    def step(self, data: GraphDataset, rng: np.random.Generator, done: float) -> None:
        """Take one step of the optimizer; `done` is the part of the time that is over."""
        begin = time.process_time()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * min(1.0, (self.steps + 1) / 50, (1 - done) / FALL)
        picked = data.batch(rng.choice(len(data), size=self.batch, replace=False))
        self.optimizer.zero_grad()
        loss = torch.nn.functional.huber_loss(self.network(picked.graph), picked.charges, delta=0.1)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.parameters, 2.0)
        self.optimizer.step()
        self.steps += 1
        keep = min(0.99, self.steps / (self.steps + 10))  # of the average, so that its start is forgotten
        for average, parameter in zip(self.averages, self.parameters, strict=True):
            average.lerp_(parameter.detach(), 1 - keep)
        self.seconds += time.process_time() - begin

    def test(self, held: GraphDataset, test: list[Frame]) -> float:
        """Error of the averaged weights, e."""
        kept = [parameter.detach().clone() for parameter in self.parameters]
        _assign(self.parameters, self.averages)
        with torch.inference_mode():
            found = [self.network(held.batch([index]).graph).double().numpy() for index in range(len(held))]
        _assign(self.parameters, kept)
        return rmse(np.concatenate(found), test)


def _assign(parameters: list[torch.nn.Parameter], values: list[torch.Tensor]) -> None:
    for parameter, value in zip(parameters, values, strict=True):
        parameter.data.copy_(value)


def new_run(data: GraphDataset, rate: float, batch: int) -> Run:
    """A network with random weights and the mean charges of the elements."""
    torch.manual_seed(1)
    network = EdgewiseNetwork()
    for element, charge in element_means(data).items():
        network.reference_charge.weight.data[element] = charge
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-3, fused=True)
    return Run(network, [p.detach().clone() for p in network.parameters()], optimizer, rate, batch)


def rmse(predicted: np.ndarray, frames: list[Frame]) -> float:
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
    parser.add_argument("--every", type=float, default=3.0, help="minutes between tests")
    parser.add_argument("--checkpoint", type=Path, help="file to store the run in, and to go on from")
    given = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(given.threads)
    cutoff = EdgewiseNetwork().cutoff_ang
    data = build_dataset(read_frames(given.data / "train" / "sio2_train.xyz"), cutoff, level=0)
    test = read_frames(given.data / "test" / "sio2_test.xyz")
    held = build_dataset(test, cutoff, level=0)
    run = new_run(data, given.rate, given.batch)
    if given.checkpoint is not None and given.checkpoint.exists():
        run.load(given.checkpoint)
    rng = np.random.default_rng(run.steps + 1)
    reported = run.seconds
    while (done := run.seconds / (60 * given.minutes)) < 1:
        run.step(data, rng, done)
        if run.seconds - reported >= 60 * given.every:
            reported = run.seconds
            print(f"step {run.steps}, {run.seconds / 60:.1f} min: {run.test(held, test):.4f} e", flush=True)
            if given.checkpoint is not None:
                run.save(given.checkpoint)
    epochs = run.steps * given.batch / len(data)
    print(f"{run.steps} steps, {epochs:.1f} epochs, {run.seconds / 60:.1f} min of processor time")
    print(f"edge-wise, trained here: test RMSE {run.test(held, test):.4f} e")
    model = load_model(given.model, elements=(8, 14), level=LEVEL)
    own = [model.predict_batch([frame]).born_effective_charges[0] for frame in test]  # type: ignore[list-item]
    print(f"{model.name} as shipped:     test RMSE {rmse(np.concatenate(own), test):.4f} e")


if __name__ == "__main__":
    main()
