"""Time one epoch of training on a labelled file, with one thread and with more.

    python tests/benchmarks/training_epoch.py DATA.xyz --threads 1,2

Network as shipped (32 channels, 16 of them sent as tensors too) and batches of `bec-md train`. An epoch is
what the trainer does between two validations: batches, loss, gradients, optimizer, averaged weights.
--steps N measures N steps of it and scales.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch

from bec_md.training.allocator import keep_freed_memory
from bec_md.training.batches import epoch_batches
from bec_md.training.config import TrainingConfig
from bec_md.training.loop import Trainer
from bec_md.training.run import prepare
from bec_md.training.sources import load_sources


def main() -> None:
    """Load once, then measure the numbers of threads in turn."""
    parser = argparse.ArgumentParser(description="Time an epoch of training.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--steps", type=int, help="of each measurement; the whole epoch by default")
    parser.add_argument("--level", default="pbesol")
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--sent", type=int, default=16, help="tensor channels that are sent")
    given = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    config = TrainingConfig.model_validate(
        {
            "data": [{"path": str(given.data), "level": given.level}],
            "network": {"channels": given.channels, "sent_tensor_channels": given.sent},
            "schedule": {"epochs": 1},
        }
    )
    sources = load_sources(config, config_folder=Path(), data_root=None, report=print)
    begin = time.process_time()
    network, data = prepare(config, sources, Path())
    print(f"graphs: {time.process_time() - begin:.1f} s of processor time, once")
    edges, atoms = data.training.edge_counts, data.training.n_atoms.numpy()
    batches = epoch_batches(
        edges, data.sizes, data.repeats, max_edges=config.batch.max_edges, seed=config.seed, epoch=0
    )
    print(f"{len(edges)} frames, {atoms.sum()} atoms, {edges.sum()} edges, {len(batches)} steps")
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(network, data, config, Path(folder))
        norms = trainer._norms(batches)
        trainer._step(batches[0], 0.5, norms)  # what is done once
        for threads in (int(word) for word in given.threads.split(",")):
            torch.set_num_threads(threads)
            picked = batches[: given.steps]
            wall, cpu = time.perf_counter(), time.process_time()
            for frames in picked:
                trainer._step(frames, 0.5, norms)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            done = edges[np.concatenate(picked)].sum() / edges.sum()
            print(
                f"{threads} thread(s): an epoch takes {wall / done:.1f} s, {cpu / done:.1f} s processor, "
                f"{1e6 * cpu / done / atoms.sum():.0f} µs per atom",
                flush=True,
            )


if __name__ == "__main__":
    main()
