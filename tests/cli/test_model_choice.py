"""``--model auto`` takes a specialized model for structures that it knows, whatever the command.

Quartz is what `silica` learned. Quartz pressed to half its volume has the same elements, and is nothing of
the kind: every command has to take `universal` for it. Several structures are decided on together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from bec_md.ase import BornCharges
from bec_md.bench.structures import quartz, water
from bec_md.current import load_current
from bec_md.network import load_model
from bec_md.structure.extxyz import read_frames
from bec_md.workflows import born_charges
from tests.cli.conftest import Run

PRESSED = 0.8  # of each edge: half the volume


def kind(name: str, seed: int = 1) -> list[Atoms]:
    """Hand-made structures: what `silica` knows, what it does not, and mixtures."""
    known, pressed = quartz(72, seed=seed), quartz(72, seed=seed)
    pressed.set_cell(PRESSED * pressed.cell.array, scale_atoms=True)
    return {
        "quartz": [known],
        "pressed": [pressed],
        "one of them pressed": [known, quartz(72, seed=seed + 1), pressed],
        "quartz and magnesia": [known, bulk("MgO", "rocksalt", a=4.21)],
    }[name]


CHOICES = {
    "quartz": ("silica", "its domain is crystalline silica"),
    "pressed": ("universal", "the first frame lies outside the domain of silica"),
    "one of them pressed": ("universal", "structure 3 of 3 lies outside the domain of silica"),
    "quartz and magnesia": (
        "universal",
        "no specialized model is taken for these elements by itself; bec-md models lists all",
    ),
}


def run_of(atoms: Atoms, count: int = 24) -> list[Atoms]:
    """Atoms that swing a little about their places, 1 fs apart."""
    rng = np.random.default_rng(3)
    velocity = rng.normal(scale=0.004, size=(len(atoms), 3))  # Å/fs
    velocity -= velocity.mean(axis=0)
    omega = rng.uniform(0.04, 0.1, size=(len(atoms), 1))
    frames = []
    for t in range(count):
        frame = atoms.copy()
        frame.positions += 0.1 * velocity / omega * np.sin(omega * t)
        frame.arrays["velocities_ang_fs"] = 0.1 * velocity * np.cos(omega * t)
        frame.info["time_fs"] = float(t)
        frames.append(frame)
    return frames


def labelled(structures: list[Atoms]) -> list[Atoms]:
    """Structures with tensors that add up to nothing."""
    found = []
    for index, atoms in enumerate(structures):
        atoms = atoms.copy()
        tensors = np.random.default_rng(index).normal(size=(len(atoms), 3, 3))
        atoms.arrays["bec"] = (tensors - tensors.mean(axis=0)).reshape(-1, 9)
        atoms.info["index"] = index
        found.append(atoms)
    return found


@pytest.mark.parametrize("name", CHOICES)
def test_the_one_decision(name: str) -> None:
    model = load_model("auto", structures=kind(name), threads=1)
    assert (model.name, model.reason) == CHOICES[name]


@pytest.mark.parametrize("name", CHOICES)
def test_predict(run: Run, tmp_path: Path, name: str) -> None:
    ase.io.write(tmp_path / "in.xyz", kind(name))
    done = run("predict", tmp_path / "in.xyz", "-o", tmp_path / "z.xyz", "--threads", 1)
    assert re.search(rf"model\s+{CHOICES[name][0]} \({CHOICES[name][1]}\)", said(done)), done.output
    predicted = read_frames(tmp_path / "z.xyz")
    expected = load_model(CHOICES[name][0], threads=1)
    for frame, atoms in zip(predicted, kind(name), strict=True):
        tensors = frame.labels["born_effective_charges"]
        assert np.abs(tensors - expected.predict(atoms)).max() < 1e-3  # float32 and 8 decimals of positions


@pytest.mark.parametrize("name", CHOICES)
def test_evaluate(run: Run, tmp_path: Path, name: str) -> None:
    ase.io.write(tmp_path / "data.xyz", labelled(kind(name)))
    done = run("evaluate", tmp_path / "data.xyz", "--charges-key", "bec", "--threads", 1, "--json", "-")
    assert json.loads(done.stdout)["model"] == CHOICES[name][0]


@pytest.mark.parametrize("name", ["quartz", "pressed"])
@pytest.mark.parametrize("command", ["current", "spectrum", "spectrum --compare-charges"])
def test_currents(run: Run, tmp_path: Path, name: str, command: str) -> None:
    (atoms,) = kind(name)
    ase.io.write(tmp_path / "run.xyz", run_of(atoms))
    first, *extra = command.split()
    more = [*extra, tmp_path / "c.png"] if extra else []
    where = ["-o", tmp_path / "j.h5"] if first == "current" else ["--resolution", 4000, "--temperature", 300]
    done = run(first, tmp_path / "run.xyz", "--threads", 1, *where, *more)
    assert CHOICES[name][0] in said(done)
    (stored,) = tmp_path.glob("j.h5" if first == "current" else "*_current.h5")
    made = load_current(stored).metadata
    assert (made["model"], made["model_chosen"]) == CHOICES[name]


@pytest.mark.parametrize("name", ["quartz", "pressed"])
@pytest.mark.parametrize(
    "choose",
    [
        lambda atoms: born_charges(atoms, "auto", threads=1)["model"],
        lambda atoms: BornCharges("auto", threads=1).loaded(atoms).name,
    ],
    ids=["workflows", "ase"],
)
def test_python(choose: Callable[[Any], str], name: str) -> None:
    assert choose(kind(name)[0]) == CHOICES[name][0]


def test_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmark measures what a spectrum of its structures would take."""
    from bec_md.bench import contestants

    for system, expected in (
        (quartz(72), "silica"),
        (water(192), "water"),
        (kind("pressed")[0], "universal"),
    ):
        native, reference = contestants.load("auto", system, 1)
        assert reference.name == expected
        assert native is None or native.name == expected


def test_a_level_that_a_specialized_model_lacks(run: Run, tmp_path: Path) -> None:
    ase.io.write(tmp_path / "data.xyz", labelled(kind("quartz")))
    options = ("--charges-key", "bec", "--threads", 1, "--json", "-", "--level", "rpbe-d3")
    assert json.loads(run("evaluate", tmp_path / "data.xyz", *options).stdout)["model"] == "universal"


def said(done: Any) -> str:
    """Output in one line."""
    return " ".join(done.output.split())
