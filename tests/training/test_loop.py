import json
import os
import signal
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from safetensors import safe_open

from bec_md.errors import DataError, UsageError
from bec_md.network.config import NetworkConfig, readouts
from bec_md.network.network import Network
from bec_md.training.config import parse_config
from bec_md.training.dataset import build_dataset
from bec_md.training.loop import Trainer, TrainingData
from bec_md.training.run import stop_on_signal

from .toy import toy_frames

CONFIG = {
    "data": [{"path": "toy.xyz", "level": "toy"}],
    "schedule": {"epochs": 3},
    "batch": {"max_edges": 700},
    "optimizer": {"learning_rate": 0.01, "ema_decay": 0.9},
    "loss": {"ensemble": 0.01},
    "dtype": "float64",
}


class KilledError(Exception):
    pass


def make_network(seed=0):
    torch.manual_seed(seed)
    config = NetworkConfig(
        elements=(3, 8, 9, 12),
        levels=("toy",),
        cutoff_ang=3.0,
        channels=4,
        radial_width=4,
        scalar_width=4,
        layers=1,
        readouts=readouts("charges", 2),
        mean_neighbors=18.0,
    )
    return Network(config).double()


@pytest.fixture(scope="module")
def data():
    training = build_dataset(toy_frames(10), 3.0, level=0, dtype=torch.float64)
    held = build_dataset(toy_frames(4, seed=9), 3.0, level=0, dtype=torch.float64)
    return TrainingData(training, (10,), (1.0,), {"toy": held})


def make_trainer(data, folder, change=None, **options):
    folder.mkdir(exist_ok=True)
    return Trainer(make_network(), data, parse_config(CONFIG | (change or {})), folder, **options)


def weights_of(network):
    return {name: p.detach().clone() for name, p in network.named_parameters()}


def test_training_learns_the_law(data, tmp_path):
    trainer = make_trainer(data, tmp_path, {"schedule": {"epochs": 12}})
    progress = trainer.fit()
    first, last = progress.history[0], progress.history[-1]
    assert last["train_loss"] < 0.5 * first["train_loss"]
    assert progress.best_score == min(row["toy_mae_e"] for row in progress.history)
    assert progress.epoch == 12
    assert (tmp_path / "log.csv").read_text().startswith("epoch,step,minutes,learning_rate,train_loss")


@pytest.mark.parametrize("kill_at", [2, 5])
def test_a_killed_run_resumes_to_the_same_weights_bit_for_bit(data, tmp_path, kill_at, monkeypatch):
    whole = make_trainer(data, tmp_path / "whole")
    whole.fit()

    # an hour passes at every look at the clock: a checkpoint after every step, also within an epoch
    ticks = iter(range(0, 10**9, 3600))
    killed = make_trainer(data, tmp_path / "killed", clock=lambda: float(next(ticks)))
    step = killed._step

    def dying(frames, part, norms):
        if killed.progress.step == kill_at:
            raise KilledError
        step(frames, part, norms)

    monkeypatch.setattr(killed, "_step", dying)
    with pytest.raises(KilledError):
        killed.fit()

    torch.manual_seed(123)  # another process has another random state
    resumed = make_trainer(data, tmp_path / "killed")
    resumed.resume()
    assert resumed.progress.step == kill_at
    resumed.fit()
    assert resumed.progress.step == whole.progress.step
    for name, weight in weights_of(whole.network).items():
        assert torch.equal(weight, weights_of(resumed.network)[name]), name
        assert torch.equal(whole.average.weights[name], resumed.average.weights[name])
    ours = [(r["epoch"], r["train_loss"], r["toy_rmse_e"]) for r in resumed.progress.history]
    assert ours == [(r["epoch"], r["train_loss"], r["toy_rmse_e"]) for r in whole.progress.history]


def test_checkpoint_holds_no_pickle_and_belongs_to_its_configuration(data, tmp_path):
    trainer = make_trainer(data, tmp_path, fingerprint="a")
    trainer.fit()
    with safe_open(str(trainer.checkpoint_path), framework="pt") as file:
        assert json.loads(file.metadata()["progress"])["epoch"] == 3
        assert any(name.startswith("optimizer.exp_avg_sq.") for name in file.keys())  # noqa: SIM118
    assert [p.name for p in tmp_path.iterdir() if "tmp" in p.name] == []
    with pytest.raises(DataError, match="another configuration"):
        make_trainer(data, tmp_path, fingerprint="b").resume()
    content = trainer.checkpoint_path.read_bytes()
    for size in (0, 100, len(content) - 1):
        trainer.checkpoint_path.write_bytes(content[:size])
        with pytest.raises(DataError, match="is damaged"):
            make_trainer(data, tmp_path, fingerprint="a").resume()


def test_a_finished_run_can_be_prolonged(data, tmp_path):
    make_trainer(data, tmp_path).fit()
    longer = make_trainer(data, tmp_path, {"schedule": {"epochs": 5}})
    longer.resume()
    assert longer.fit().epoch == 5


def test_interrupt_saves_and_the_handler_is_removed(data, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    trainer = make_trainer(data, tmp_path, {"schedule": {"epochs": 1000}})
    trainer.report = lambda line: os.kill(os.getpid(), signal.SIGINT)  # at the first validation
    with stop_on_signal(trainer, lambda line: None):
        progress = trainer.fit()
    assert signal.getsignal(signal.SIGINT) is before
    assert trainer.stop_requested
    assert progress.epoch == 1
    resumed = make_trainer(data, tmp_path)
    resumed.resume()
    assert asdict(resumed.progress) == asdict(progress)


def test_the_network_ends_with_the_best_averaged_weights(data, tmp_path):
    saved = []
    trainer = make_trainer(
        data, tmp_path, save_best=lambda progress: saved.append(weights_of(trainer.network))
    )
    trainer.fit()
    for name, weight in weights_of(trainer.network).items():
        assert torch.equal(weight, saved[-1][name])


def test_early_stopping_ends_a_run_that_no_longer_improves(data, tmp_path):
    change = {"schedule": {"epochs": 500, "early_stopping": 2}, "optimizer": {"learning_rate": 1e-300}}
    assert make_trainer(data, tmp_path, change).fit().epoch <= 4


def test_the_clock_ends_a_run_with_a_time_budget(data, tmp_path):
    ticks = iter(range(10**9))
    change = {"schedule": {"max_minutes": 1.0}}
    trainer = make_trainer(data, tmp_path, change, clock=lambda: float(next(ticks)))
    progress = trainer.fit()
    assert 60.0 <= progress.elapsed_s < 75.0  # one step and one validation read the clock a few times
    assert progress.history[-1]["learning_rate"] == pytest.approx(0.01 * 0.01)


def test_frozen_parameters_do_not_move(data, tmp_path):
    change = {"finetune": {"model": "m", "freeze": ["layers.*", "element"]}}
    trainer = make_trainer(data, tmp_path, change)
    before = weights_of(trainer.network)
    trainer.fit()
    for name, weight in weights_of(trainer.network).items():
        frozen = name.startswith("layers.") or name == "element"
        assert torch.equal(weight, before[name]) == frozen or name == "level", name


@pytest.mark.parametrize("patterns", [["embedding*"], ["*"], ["element", "layer.*"]])
def test_patterns_that_freeze_nothing_or_everything_are_refused(data, tmp_path, patterns):
    with pytest.raises(UsageError, match=r"finetune\.freeze"):
        make_trainer(data, tmp_path, {"finetune": {"model": "m", "freeze": patterns}})


def test_molecules_without_a_cell_are_learned_from_beside_crystals(data, tmp_path):
    """Their ε∞ is none: it has no share in the loss, and makes no derivative infinite."""
    alone = [
        replace(frame, cell_ang=np.zeros((3, 3)), pbc=np.zeros(3, bool)).with_labels(eps_inf=None)
        for frame in toy_frames(3, seed=5)
    ]
    training = build_dataset([*toy_frames(4), *alone], 3.0, level=0, dtype=torch.float64)
    both = TrainingData(training, (7,), (1.0,), data.validation)
    change = {"schedule": {"epochs": 1}, "batch": {"max_edges": 10**6}}
    progress = make_trainer(both, tmp_path, change).fit()
    assert progress.step == 1
    assert np.isfinite(progress.history[-1]["train_loss"])


def test_steps_that_are_left_out_are_said_and_without_any_other_it_has_diverged(data, tmp_path, monkeypatch):
    import bec_md.training.loop as loop

    true, lines = loop.batch_loss, []

    def broken_once(network, batch, *arguments, step, **options):
        total, squared = true(network, batch, *arguments, step=step, **options)
        return (total * float("nan") if step == 1 and not lines.append("") else total), squared

    monkeypatch.setattr(loop, "batch_loss", broken_once)
    said = []
    with pytest.raises(DataError, match="without a finite gradient"):  # the step is tried again, in vain
        make_trainer(data, tmp_path / "a", {"schedule": {"epochs": 100}}, report=said.append).fit()
    assert any("without a finite gradient were left out" in line for line in said)
    monkeypatch.setattr(
        loop, "batch_loss", lambda *a, **o: (true(*a, **o)[0] * float("nan"), torch.zeros(()))
    )
    with pytest.raises(DataError, match="steps without a finite gradient"):
        make_trainer(data, tmp_path / "b", {"schedule": {"epochs": 1}}).fit()


def test_weights_that_are_no_numbers_are_no_result(data, tmp_path):
    change = {"optimizer": {"learning_rate": 1e200, "gradient_clip": None}, "schedule": {"epochs": 2}}
    with pytest.raises(DataError, match="diverged"):
        make_trainer(data, tmp_path, change).fit()
    assert not (tmp_path / "model.safetensors").exists()


def test_divergence_is_reported_instead_of_looping_for_ever(data, tmp_path, monkeypatch):
    import bec_md.training.loop as loop

    def broken(network, batch, *arguments, **options):
        total = sum(p.sum() for p in network.parameters()) * float("nan")
        return total, torch.zeros(())

    monkeypatch.setattr(loop, "batch_loss", broken)
    with pytest.raises(DataError, match="without a finite gradient"):
        make_trainer(data, tmp_path, {"schedule": {"epochs": 100}}).fit()


def test_batches_of_one_epoch_weigh_like_their_content(data, tmp_path):
    trainer = make_trainer(data, tmp_path)
    batches = trainer._epoch(0)
    norms = trainer._norms(batches)
    charge, eps = norms["charges"], norms["eps_inf"]
    assert charge * len(batches) == pytest.approx(80.0)  # ten frames of eight atoms
    assert eps * len(batches) == pytest.approx(10.0)
    assert np.concatenate(batches).size == 10
