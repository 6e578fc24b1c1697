"""Cost of currents and tensors of a polarization against the direct network of the same size, in one run.

    python tests/benchmarks/derivatives.py

One thread, CPU time, quartz with 288 atoms, 32 channels, 8 members, random weights.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from bec_md.bench.structures import quartz
from bec_md.network.config import NetworkConfig, readouts
from bec_md.network.model_file import save_model
from bec_md.network.native import NativeModel
from bec_md.network.network import Network

REPEATS = 7


def main() -> None:
    """Print µs per atom and the ratio to the direct network."""
    frames = [quartz(288, seed=seed) for seed in range(8)]
    n_atoms = sum(map(len, frames))
    velocities = np.random.default_rng(0).normal(size=(n_atoms, 3))
    group = np.concatenate([frame.numbers == 8 for frame in frames]).astype(np.int32)
    models = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("charges", "dipole"):
            path = Path(folder, f"{name}.safetensors")
            shape = {"sent_tensor_channels": 16, "mean_neighbors": 43.0}
            config = NetworkConfig(elements=(8, 14), levels=("any",), readouts=readouts(name), **shape)
            save_model(path, Network(config), {"name": name})
            models[name] = NativeModel(path, "", (8, 14))
    direct, dipole = models["charges"], models["dipole"]
    moving = {"members": ("current",), "velocities": velocities}
    cases = {
        "direct Z*, members, eps_inf": lambda: direct.predict_frames(frames, members=True),
        "J, members": lambda: dipole.evaluate(frames, (), **moving),
        "J, members, eps_inf": lambda: dipole.evaluate(frames, ("eps_inf",), **moving),
        "J of two groups, members": lambda: dipole.evaluate(frames, (), groups=group, n_groups=2, **moving),
        "Z*": lambda: dipole.evaluate(frames, ("charges",)),
        "P": lambda: dipole.evaluate(frames, ("dipole",)),
    }
    best = dict.fromkeys(cases, np.inf)
    for _ in range(REPEATS):
        for name, run in cases.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - start)
    reference = best["direct Z*, members, eps_inf"]
    for name, seconds in best.items():
        print(f"{name:28} {1e6 * seconds / n_atoms:7.2f} µs/atom {seconds / reference:6.2f} ×")


if __name__ == "__main__":
    main()
