"""The training loop: batches in, averaged weights and a log out."""

from __future__ import annotations

import csv
import fnmatch
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bec_md.atomic import replacing
from bec_md.errors import DataError, UsageError
from bec_md.network.network import Network
from bec_md.spreadsheet import header_row
from bec_md.training.averaging import WeightAverage, set_weights, swapped_weights
from bec_md.training.batches import epoch_batches, sequential_batches
from bec_md.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from bec_md.training.config import TrainingConfig
from bec_md.training.dataset import TARGETS, GraphDataset
from bec_md.training.objective import batch_loss
from bec_md.training.schedule import learning_rate, schedule_progress

MAX_SKIPPED_STEPS = 20


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Graphs of all files, laid end to end, and what was held back of each."""

    training: GraphDataset
    sizes: tuple[int, ...]  # frames of each file in `training`
    repeats: tuple[float, ...]
    validation: Mapping[str, GraphDataset]
    unseen: frozenset[str] = frozenset()  # names in `validation` whose compositions are in no training file
    n_copies: int = 0  # held-back frames that are learned from as well
    taught: frozenset[int] = frozenset()  # numbers of the files whose labels are those of a teacher


@dataclass(frozen=True, slots=True)
class Predictions:
    """Network outputs for a data set, on the CPU."""

    charges: NDArray[np.float64]  # (N, 3, 3) e
    variance: NDArray[np.float64]  # (N,) e², of one component, over the members
    eps_inf: NDArray[np.float64]  # (B, 3, 3)


@torch.no_grad()
def predict_dataset(
    network: Network,
    dataset: GraphDataset,
    max_edges: int,
    *,
    members: bool = True,
    frames: NDArray[np.int64] | None = None,
) -> Predictions:
    """Evaluate the network on frames of a data set (all), with or without the variance over its members."""
    chosen = np.arange(len(dataset)) if frames is None else frames
    charges, variances, eps = [], [], []
    for batch in sequential_batches(dataset.edge_counts[chosen], max_edges):
        output = network(dataset.batch(chosen[batch]).graph, members=members)
        tensors = output["charges"]  # (N, M, 3, 3)
        charges.append(tensors.mean(dim=1).double().cpu().numpy())
        spread = tensors.var(dim=1).mean(dim=(-1, -2)) if tensors.shape[1] > 1 else tensors[:, 0, 0, 0] * 0
        variances.append(spread.double().cpu().numpy())
        eps.append(output["eps_inf"].double().cpu().numpy())
    return Predictions(np.concatenate(charges), np.concatenate(variances), np.concatenate(eps))


def make_optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW that decays matrices only; frozen parameters are left out."""
    patterns = config.finetune.freeze if config.finetune else ()
    names = [name for name, _ in network.named_parameters()]
    idle = [pattern for pattern in patterns if not fnmatch.filter(names, pattern)]
    decayed, free = [], []
    for name, parameter in network.named_parameters():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
        elif parameter.ndim >= 2:
            decayed.append(parameter)
        else:
            free.append(parameter)
    o = config.optimizer
    groups = [
        {"params": decayed, "weight_decay": o.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    filled = [group for group in groups if group["params"]]
    if idle or not filled:
        raise UsageError(
            f"finetune.freeze: {', '.join(idle or patterns)} fits {'no' if idle else 'every'} parameter",
            "a pattern that freezes nothing hides a mistake, and something has to be learned",
            f"parameters are called {', '.join(dict.fromkeys(name.split('.')[0] for name in names))} …, "
            "e.g. layers.0.*",
        )
    return torch.optim.AdamW(filled, lr=o.learning_rate, betas=(o.beta1, o.beta2), fused=True)


class Trainer:
    """State of one run.

    Parameters
    ----------
    network
        Already on its device.
    data
        On the same device.
    config
        The run's configuration.
    folder
        Receives checkpoint and log.
    save_best
        Called with the averaged weights loaded into the network whenever they are the best so far.
    report
        Receives one line of text per validation.
    clock
        Seconds; a test may pass its own.
    """

    def __init__(
        self,
        network: Network,
        data: TrainingData,
        config: TrainingConfig,
        folder: Path,
        *,
        fingerprint: str = "",
        save_best: Callable[[Progress], None] = lambda progress: None,
        report: Callable[[str], None] = lambda line: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.network = network
        self.data = data
        self.config = config
        self.folder = folder
        self.fingerprint = fingerprint
        self.save_best = save_best
        self.report = report
        self.clock = clock
        self.optimizer = make_optimizer(network, config)
        self.average = WeightAverage(network, config.optimizer.ema_decay)
        self.best: dict[str, Tensor] | None = None
        self.progress = Progress()
        self.stop_requested = False
        #: The signal that asked for it.
        self.stopped_by: int | None = None
        self._edges = data.training.edge_counts
        self._skipped = 0

    @property
    def checkpoint_path(self) -> Path:
        """File that a resumed run starts from."""
        return self.folder / "checkpoint.safetensors"

    def resume(self) -> None:
        """Continue from the checkpoint; a finished run goes on if its limits were raised."""
        self.progress, self.best = load_checkpoint(
            self.checkpoint_path, self.network, self.optimizer, self.average.weights, self.fingerprint
        )
        state, schedule = self.progress, self.config.schedule
        stopped = schedule.early_stopping is not None and state.stale >= schedule.early_stopping
        state.finished = stopped or schedule_progress(schedule, state.epoch, state.elapsed_s) >= 1.0

    def save(self) -> None:
        """Write the checkpoint."""
        save_checkpoint(
            self.checkpoint_path,
            self.network,
            self.optimizer,
            self.average.weights,
            self.best,
            self.progress,
            self.fingerprint,
        )

    def fit(self) -> Progress:
        """Train until the schedule ends, validation stops improving, or a stop is requested.

        Afterwards the network holds the best averaged weights.
        """
        state = self.progress
        origin = self.clock() - state.elapsed_s
        saved = state.elapsed_s
        while not (state.finished or self.stop_requested):
            batches = self._epoch(state.epoch)
            norms = self._norms(batches)
            while state.batch < len(batches) and not self.stop_requested:
                done = state.epoch + state.batch / len(batches)
                part = schedule_progress(self.config.schedule, done, state.elapsed_s)
                if part >= 1.0:
                    break
                self._step(batches[state.batch], part, norms)
                state.batch += 1
                state.elapsed_s = self.clock() - origin
                if state.elapsed_s - saved > 60.0 * self.config.schedule.checkpoint_minutes:
                    self.save()
                    saved = state.elapsed_s
            if self.stop_requested:
                break
            self._finish_epoch(len(batches), origin)
            self.save()
            saved = state.elapsed_s
        if self.stop_requested:
            self.save()
        set_weights(self.network, self.best if self.best is not None else self.average.weights)
        return state

    def _epoch(self, epoch: int) -> list[NDArray[np.int64]]:
        return epoch_batches(
            self._edges,
            self.data.sizes,
            self.data.repeats,
            max_edges=self.config.batch.max_edges,
            seed=self.config.seed,
            epoch=epoch,
        )

    def _norms(self, batches: Sequence[NDArray[np.int64]]) -> dict[str, float]:
        """Weight of an average batch of the epoch for every property."""
        dataset = self.data.training
        frames = torch.from_numpy(np.concatenate(batches)).to(dataset.n_atoms.device)
        norms = {}
        for name, target in TARGETS.items():
            weight = dataset.labels[name].weight.double()
            if target.per_atom:
                last = dataset.atom_start + dataset.n_atoms
                cumulative = torch.cat([weight.new_zeros(1), weight.cumsum(0)])
                weight = cumulative[last] - cumulative[dataset.atom_start]
            norms[name] = float(weight[frames].sum()) / len(batches)
        return norms

    def _step(self, frames: NDArray[np.int64], part: float, norms: Mapping[str, float]) -> None:
        state = self.progress
        rate = learning_rate(part, self.config.optimizer)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        start = self.clock()
        batch = self.data.training.batch(frames)
        self.optimizer.zero_grad(set_to_none=True)
        loss, squared = batch_loss(
            self.network, batch, self.config.loss, norms, seed=self.config.seed, step=state.step
        )
        loss.backward()  # type: ignore[no-untyped-call]
        limit = self.config.optimizer.gradient_clip
        trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(trained, limit if limit is not None else float("inf"))
        if not bool(torch.isfinite(norm)):
            self._skip(frames)
            return
        self._skipped = 0
        self.optimizer.step()
        state.step += 1
        self.average.update(self.network, state.step)
        tensors = batch.graph.n_atoms
        for key, value in (
            ("loss", float(loss.detach())),
            ("squared", float(squared)),
            ("atoms", float(tensors)),
            ("batches", 1.0),
            ("seconds", self.clock() - start),
        ):
            state.sums[key] = state.sums.get(key, 0.0) + value

    def _skip(self, frames: NDArray[np.int64]) -> None:
        """A step with an infinite gradient is left out; many in a row mean that training diverged."""
        self._skipped += 1
        self.progress.sums["skipped"] = self.progress.sums.get("skipped", 0.0) + 1.0
        if self._skipped >= MAX_SKIPPED_STEPS:
            raise self._diverged(
                f"{self._skipped} steps in a row without a finite gradient (frames {frames[:5].tolist()} …)"
            )

    def _diverged(self, what: str) -> DataError:
        return DataError(
            what, "training has diverged", "start anew with a smaller learning_rate, or check the labels"
        )

    def _finish_epoch(self, n_batches: int, origin: float) -> None:
        state = self.progress
        skipped = state.sums.pop("skipped", 0.0)
        if skipped:
            what = f"{skipped:.0f} steps without a finite gradient"
            if state.step == 0:
                raise self._diverged(what)
            self.report(f"warning: {what} were left out")
        if state.batch >= n_batches:
            state.epoch += 1
            state.batch = 0
        part = schedule_progress(self.config.schedule, state.epoch + state.batch / n_batches, state.elapsed_s)
        state.finished = part >= 1.0
        if state.finished and not state.sums and state.history:
            return  # the limit was reached exactly at the last validation
        due = state.elapsed_s - state.validated_s >= 60.0 * self.config.schedule.validate_minutes
        if due or state.finished or state.epoch == 1:
            self._validate(part)
            state.elapsed_s = self.clock() - origin
            state.validated_s = state.elapsed_s
        patience = self.config.schedule.early_stopping
        if patience is not None and state.stale >= patience:
            state.finished = True

    def _validate(self, part: float) -> None:
        state = self.progress
        sums = state.sums
        row: dict[str, float] = {
            "epoch": float(state.epoch),
            "step": float(state.step),
            "minutes": round(state.elapsed_s / 60.0, 3),
            "learning_rate": learning_rate(part, self.config.optimizer),
        }
        if sums.get("batches"):
            row["train_loss"] = sums["loss"] / sums["batches"]
            row["train_rmse_e"] = float(np.sqrt(sums["squared"] / (9.0 * sums["atoms"])))
            row["train_us_per_atom"] = 1e6 * sums["seconds"] / sums["atoms"]
        with swapped_weights(self.network, self.average.weights):
            score = self._score(row)
            totals = [float(weight.sum()) for weight in self.average.weights.values()]
            if not np.isfinite(sum(totals) if score is None else score):
                raise self._diverged("weights or predictions that are no finite numbers")
            if score is None or state.best_score is None or score < state.best_score:
                state.best_score, state.best_epoch, state.stale = score, state.epoch, 0
                self.best = self.average.copy()
                self.save_best(state)
            else:
                state.stale += 1
        state.history.append(row)
        state.sums = {}
        self._write_log()
        self.report(self._line(row, part))

    def _score(self, row: dict[str, float]) -> float | None:
        """Validation errors into `row`; their mean decides which weights are best."""
        selected = []
        for name, dataset in self.data.validation.items():
            limit = self.config.batch.validation_edges or self.config.batch.max_edges
            predicted = predict_dataset(self.network, dataset, limit, members=False)
            for key, value in validation_errors(predicted, dataset).items():
                row[f"{name}_{key}"] = value
            selected.append(row[f"{name}_{self.config.selection}_e"])
        return float(np.mean(selected)) if selected else None

    def _write_log(self) -> None:
        names: list[str] = []
        for row in self.progress.history:
            names.extend(name for name in row if name not in names)
        with (
            replacing(self.folder / "log.csv") as partial,
            partial.open("w", newline="", encoding="utf-8") as stream,
        ):
            writer = csv.DictWriter(stream, names, lineterminator="\n")
            stream.write(header_row(names))
            writer.writerows(self.progress.history)

    def _line(self, row: Mapping[str, Any], part: float) -> str:
        text = f"epoch {row['epoch']:4.0f}  {row['minutes']:7.2f} min"
        if "train_loss" in row:
            text += f"  loss {row['train_loss']:.3e}  train {row['train_rmse_e']:.4f} e"
        for name in self.data.validation:
            text += f"  {name} rmse {row[f'{name}_rmse_e']:.4f} mae {row[f'{name}_mae_e']:.4f} e"
            if f"{name}_eps_inf_median_relative" in row:
                text += f" ε∞ {100 * row[f'{name}_eps_inf_median_relative']:.1f} %"
        text += f"  lr {row['learning_rate']:.1e}"
        if "train_us_per_atom" in row:
            text += f"  {row['train_us_per_atom']:.0f} µs/atom"
        if part > 0.0:
            text += f"  left {(1.0 - part) / part * row['minutes']:.1f} min"
        return text + ("" if self.progress.stale else "  best")


def validation_errors(predicted: Predictions, dataset: GraphDataset) -> dict[str, float]:
    """RMSE and MAE over all components (e), median MAE of a frame, median relative error of ε_∞."""
    labels = dataset.labels["charges"].values.double().cpu().numpy()
    error = np.abs(predicted.charges - labels)
    starts = dataset.atom_start.cpu().numpy()
    per_frame = np.add.reduceat(error.mean(axis=(1, 2)), starts) / dataset.n_atoms.cpu().numpy()
    out = {
        "rmse_e": float(np.sqrt(np.mean(error**2))),
        "mae_e": float(error.mean()),
        "median_frame_mae_e": float(np.median(per_frame)),
    }
    known = dataset.labels["eps_inf"]
    labelled = known.weight.cpu().numpy() > 0
    if labelled.any():
        eps = known.values.double().cpu().numpy()[labelled]
        relative = np.linalg.norm(predicted.eps_inf[labelled] - eps, axis=(1, 2)) / np.linalg.norm(
            eps, axis=(1, 2)
        )
        out["eps_inf_median_relative"] = float(np.median(relative))
    return out
