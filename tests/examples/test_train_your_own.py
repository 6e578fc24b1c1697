"""The example of training one's own network, shortened: few frames and steps, a short run, the figure."""

from __future__ import annotations

import csv
from pathlib import Path

import ase.io
import numpy as np

import bec_md
from tests.examples.scripts import EXAMPLES, script

CELL = EXAMPLES / "zirconia" / "tetragonal.xyz"


def labelled(path: Path, count: int) -> None:
    """Rattled cells with the tensors of another level of theory of the bundled network in place of DFT."""
    model = bec_md.load_model("universal", level="pbe-gamma-only", threads=1)
    rng = np.random.default_rng(1)
    images = []
    for number in range(count):
        atoms = ase.io.read(CELL)
        atoms.positions += 0.05 * rng.normal(size=atoms.positions.shape)
        atoms.set_array("born_effective_charges", model.predict(atoms).reshape(-1, 9))
        atoms.info.update(name=f"cell_{number:02d}", eps_inf=(5.8 * np.eye(3)).ravel())
        images.append(atoms)
    ase.io.write(path, images, format="extxyz")


def test_training_lowers_the_error_and_the_spectrum_follows(tmp_path: Path) -> None:
    labelled(tmp_path / "labels.xyz", 12)
    script(
        *(
            "train_your_own/learning_curve.py",
            "--labels",
            str(tmp_path / "labels.xyz"),
            "--match",
            "*",
            "--frames",
            "5",
        ),
        *("--held-out", "6", "--folds", "1", "--steps", "30", "--work", str(tmp_path)),
    )
    with (tmp_path / "learning_curve.csv").open(newline="", encoding="utf-8") as stream:
        before, after = (float(row["rmse_e"]) for row in csv.DictReader(stream))
    assert after < 0.6 * before  # a constant shift of all charges is learned in a few steps
    text = script(
        *("train_your_own/spectrum.py", "--work", str(tmp_path), "--picoseconds", "0.3", "--replicas", "1"),
        *("--resolution", "150", "--output", str(tmp_path / "out.png")),
    )
    assert text.count("model error") == 2
    assert (tmp_path / "out.png").stat().st_size > 10_000
