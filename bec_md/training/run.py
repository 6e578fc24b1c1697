"""`bec-md train`: from a configuration file to a model file, a log and a checkpoint."""

from __future__ import annotations

import hashlib
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from bec_md.atomic import only_writer, write_text
from bec_md.errors import UsageError
from bec_md.training.config import TrainingConfig, load_config

if TYPE_CHECKING:
    from bec_md.evaluation import Evaluation
    from bec_md.network.network import Network
    from bec_md.training.checkpoint import Progress
    from bec_md.training.loop import Trainer, TrainingData
    from bec_md.training.sources import LoadedSource


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """Where a run ended and what it left behind.

    Parameters
    ----------
    folder, model, log, figures
        Folder of the results, and in it: the best averaged weights; a CSV table with one row per validation;
        loss curve, and parity with reliability of each held-back file.
    interrupted
        Whether it was stopped before its end.
    epochs, minutes
        How far it came, and the time it took.
    best_epoch, best_score_e
        Epoch of the best weights and their validation error, e.
    history
        Rows of the log.
    stopped_by
        Number of the signal that stopped it.
    """

    folder: Path
    model: Path
    log: Path
    interrupted: bool
    epochs: int
    minutes: float
    best_epoch: int
    best_score_e: float | None
    history: tuple[dict[str, float], ...]
    figures: tuple[Path, ...] = ()
    stopped_by: int | None = None


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def train(
    config_path: str | Path | TrainingConfig,
    *,
    data_root: str | Path | None = None,
    config_folder: str | Path | None = None,
    output: str | Path | None = None,
    resume: bool = False,
    report: Callable[[str], None] = _print,
) -> TrainingResult:
    """Train the network that a configuration describes.

    Parameters
    ----------
    config_path
        YAML file, or a configuration that was checked already.
    data_root
        Folder where relative data paths start; the configuration's folder when not given.
    config_folder
        That folder, also of relative models, where the configuration is no file; by default the working one.
    output
        Folder of the results; the configuration's ``output`` when not given.
    resume
        Continue from the checkpoint in the output folder if there is one.
    report
        Receives the progress lines.

    Returns
    -------
    TrainingResult
        Files and errors of the run.

    Raises
    ------
    UsageError
        If the configuration is wrong, the output folder already holds a run, or another process writes there.
    DataError
        If the data are damaged or training diverges.
    """
    if isinstance(config_path, TrainingConfig):
        config, beside = config_path, Path.cwd() if config_folder is None else Path(config_folder)
    else:
        config, beside = load_config(config_path), Path(config_path).resolve().parent
    folder = Path(output if output is not None else config.output)
    checkpoint = make_folder(folder, resume)
    root = Path(data_root) if data_root is not None else None
    with only_writer(folder / "train.lock", str(folder)):
        return _train(config, beside, root, checkpoint if resume else None, folder, report)


def _train(
    config: TrainingConfig,
    beside: Path,
    root: Path | None,
    checkpoint: Path | None,
    folder: Path,
    report: Callable[[str], None],
) -> TrainingResult:
    """Train in a folder that is ours, from a checkpoint where it is there."""
    import torch

    from bec_md.network.predictor import check_device
    from bec_md.training.allocator import keep_freed_memory
    from bec_md.training.ancestors import SEEN_BEFORE, inherited, learned_before
    from bec_md.training.loop import Trainer
    from bec_md.training.sources import load_sources

    keep_freed_memory()
    check_device(config.device)
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    sources = load_sources(config, config_folder=beside, data_root=root, report=report)
    network, data = prepare(config, sources, beside)
    before = learned_before(config, sources, beside)
    for warning in before:
        report(f"warning: {warning}")
    older = inherited(config, sources, beside)
    model = folder / "model.safetensors"

    def save_best(progress: Progress) -> None:
        """Write the model file with the card of this state."""
        write_model(model, network, make_card(config, sources, network, progress, older))

    fingerprint = config_fingerprint(config, sources)
    trainer = Trainer(
        network, data, config, folder, fingerprint=fingerprint, save_best=save_best, report=report
    )
    if checkpoint is not None and checkpoint.exists():
        trainer.resume()
        report(f"resumed at epoch {trainer.progress.epoch}, {trainer.progress.elapsed_s / 60.0:.1f} min")
    elif checkpoint is not None:
        report(f"no checkpoint in {folder}: the training begins")
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    write_text(folder / "config.yaml", text)
    report(describe(config, network, data))
    if config.finetune is not None:
        report_index_order(network, data, sources, report)
    with stop_on_signal(trainer, report):
        progress = trainer.fit()
    card = make_card(config, sources, network, progress, older)
    figures: tuple[Path, ...] = ()
    if not trainer.stop_requested:
        report_index_order(network, data, sources, report)
        entries, figures = finish(network, data, config, folder, report)
        if before:
            entries["stated_error_data"] += SEEN_BEFORE
        card = entries | card
    write_model(model, network, card)
    report(f"{'interrupted' if trainer.stop_requested else 'done'}: {model}, {folder / 'log.csv'}")
    return summarize(folder, progress, trainer, figures)


def summarize(
    folder: Path, progress: Progress, trainer: Trainer, figures: tuple[Path, ...]
) -> TrainingResult:
    """Say where a run ended and what lies in its folder."""
    return TrainingResult(
        folder,
        folder / "model.safetensors",
        folder / "log.csv",
        trainer.stop_requested,
        progress.epoch,
        progress.elapsed_s / 60.0,
        progress.best_epoch,
        progress.best_score,
        tuple(progress.history),
        figures,
        trainer.stopped_by,
    )


def make_folder(folder: Path, resume: bool) -> Path:
    """Make the folder of a run and return where its checkpoint is.

    Raises
    ------
    UsageError
        If it holds a run that is not to be resumed.
    """
    checkpoint = folder / "checkpoint.safetensors"
    if checkpoint.exists() and not resume:
        raise UsageError(
            f"{folder} already holds a run", "it would be overwritten", "give `resume`, or another `output`"
        )
    if (folder / "model.safetensors").exists() and not resume:
        raise UsageError(
            f"{folder} holds a model, but no checkpoint to go on from",
            "the model would be overwritten by a training from the beginning",
            "give another `output`, or `resume` where a run was killed before its first checkpoint",
        )
    folder.mkdir(parents=True, exist_ok=True)
    return checkpoint


def prepare(
    config: TrainingConfig, sources: Sequence[LoadedSource], config_folder: Path
) -> tuple[Network, TrainingData]:
    """Build graphs and network on their device."""
    import torch

    from bec_md.network.network import Network
    from bec_md.training.pretrained import load_pretrained, make_network_config
    from bec_md.training.sources import elements_of, levels_of, make_training_data, mean_neighbors

    dtype = {"float32": torch.float32, "float64": torch.float64}[config.dtype]
    elements, levels = elements_of(sources), levels_of(sources)
    if config.finetune is not None:
        if config.network:
            raise UsageError(
                f"section 'network' ({', '.join(config.network)}) beside finetune",
                "the shape of the network is that of the model it starts from",
                "leave the section out",
            )
        network, new = load_pretrained(
            config.finetune, elements=elements, levels=levels, config_folder=config_folder
        )
        data = make_training_data(
            sources, config, cutoff_ang=network.config.cutoff_ang, levels=network.config.levels, dtype=dtype
        )
        if new:
            start_charges(network, data)
    else:
        shape = make_network_config(config.network, elements=elements, levels=levels)
        data = make_training_data(
            sources, config, cutoff_ang=shape.cutoff_ang, levels=shape.levels, dtype=dtype
        )
        if "mean_neighbors" not in config.network:
            found = round(mean_neighbors(data), 2)
            if not found:
                raise UsageError(
                    f"the atoms of the data have no neighbors within {shape.cutoff_ang:g} Å",
                    "what a network says of an atom comes from its neighbors",
                    "give a larger cutoff_ang in the section 'network', and look at the unit of positions",
                )
            shape = shape.model_copy(update={"mean_neighbors": found})
        network = Network(shape)
        start_charges(network, data)
    check_loss(config, network, data)
    check_card(config, network)
    network = network.to(device=config.device, dtype=dtype)
    data = replace(
        data,
        training=data.training.to(config.device),
        validation={name: part.to(config.device) for name, part in data.validation.items()},
    )
    return network, data


def start_charges(network: Network, data: TrainingData) -> None:
    """Let a new read-out begin with the mean charge of each element."""
    from bec_md.training.dataset import element_means

    means = element_means(data.training)
    network.charges_from.start({network.config.elements.index(z): mean for z, mean in means.items()})


def check_loss(config: TrainingConfig, network: Network, data: TrainingData) -> None:
    """Refuse terms of the loss that the network's read-out does not have, and an end that never comes."""
    loss = config.loss
    several = [item for item in network.config.readouts if item.name == "polarizability" and item.members > 1]
    if several:
        raise UsageError(
            f"read-out polarizability with {several[0].members} members",
            "only the read-out of Z* has an ensemble",
            "leave its members out",
        )
    if loss.ensemble > 0.0 and network.charges_from.members == 1:
        raise UsageError(
            f"section 'loss': ensemble {loss.ensemble:g} with one member of {network.charges_from.name!r}",
            "a single member has no spread",
            "give the read-out more members, e.g. 8, or leave ensemble out",
        )
    if config.schedule.early_stopping is not None and not data.validation:
        raise UsageError(
            f"section 'schedule': early_stopping {config.schedule.early_stopping} without held-back frames",
            "validations find no better weights where nothing is held back",
            "give validation in the section 'data', or leave early_stopping out",
        )
    if network.charges_from.gradient is not None and (loss.trace, loss.antisymmetric, loss.traceless) != (
        1,
        1,
        1,
    ):
        raise UsageError(
            f"section 'loss': read-out {network.charges_from.name!r} is not trained on separate parts of Z*",
            "it sees projections of the tensors",
            "leave out trace, antisymmetric and traceless",
        )


def check_card(config: TrainingConfig, network: Network) -> None:
    """Refuse a card that would make a model file which cannot be used."""
    from bec_md.network.model_file import check_card

    check_card(config.card, "section 'card'", "correct the section 'card' of the configuration")
    level = config.card.get("default_level")
    if level is not None and level not in network.config.levels:
        raise UsageError(
            f"section 'card': default_level {level!r} is not among {', '.join(network.config.levels)}",
            "the model answers at that level of theory where none is named",
            "name one of them, or leave it out",
        )


def report_index_order(
    network: Network,
    data: TrainingData,
    sources: Sequence[LoadedSource],
    report: Callable[[str], None],
) -> None:
    """Warn of training files whose tensors look transposed to a trained network."""
    from bec_md.training.validation import index_order_warnings

    for warning in index_order_warnings(network, data, [item.source.name for item in sources]):
        report(f"warning: {warning}")


def finish(
    network: Network,
    data: TrainingData,
    config: TrainingConfig,
    folder: Path,
    report: Callable[[str], None],
) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """Evaluate the best weights on the held-back data: parity, warnings, figures, entries of the card."""
    from bec_md.training.validation import card_entries, training_domain, validate, write_parity

    limit = config.batch.validation_edges or config.batch.max_edges
    evaluations = validate(network, data, max_edges=limit, model=config.name)
    for name, item in evaluations.items():
        m = item.metrics
        baseline = m["baselines"]["element_mean"]["rmse_e"]
        report(
            f"{name}: RMSE {m['rmse_e']:.4f} e, MAE {m['mae_e']:.4f} e, median per frame "
            f"{m['median_frame_mae_e']:.4f} e (element mean: RMSE {baseline:.4f} e)"
        )
        for warning in item.warnings:
            report(f"warning: {name}: {warning}")
    write_parity(folder / "parity.npz", evaluations)
    entries = card_entries(evaluations, data.unseen, data.n_copies) | training_domain(
        network, data, evaluations, max_edges=limit
    )
    return entries, draw(folder, evaluations)


def draw(folder: Path, evaluations: Mapping[str, Evaluation]) -> tuple[Path, ...]:
    """Draw the loss curve, and for each held-back file parity and reliability; return the files."""
    from matplotlib.figure import Figure

    from bec_md.plot import figure_of_errors, plot_loss_curve, save_figure
    from bec_md.plot.style import bare_figure, figure_size, figure_style

    with figure_style():
        course: Figure = bare_figure(figure_size("column", 0.72))
        plot_loss_curve(folder / "log.csv", course.add_subplot())
    figures = {"loss.png": course}
    figures |= {f"errors_{name}.png": figure_of_errors(item) for name, item in evaluations.items()}
    for name, figure in figures.items():
        save_figure(figure, folder / name)
    return tuple(folder / name for name in figures)


def write_model(path: Path, network: Network, card: dict[str, Any]) -> None:
    """Write a model file (which appears at once or not at all)."""
    from bec_md.network.model_file import save_model

    save_model(path, network, card)


def describe(config: TrainingConfig, network: Network, data: TrainingData) -> str:
    """Say what is about to happen."""
    parameters = sum(p.numel() for p in network.parameters())
    training = data.training
    edges = int(training.n_edges.sum())
    limits = [f"{config.schedule.epochs} epochs"] if config.schedule.epochs else []
    limits += [f"{config.schedule.max_minutes:g} min"] if config.schedule.max_minutes else []
    return (
        f"{parameters} parameters, {len(network.config.elements)} elements, "
        f"levels {', '.join(network.config.levels)}; "
        f"{len(training)} frames, {training.numbers.shape[0]} atoms, {edges} edges within "
        f"{network.config.cutoff_ang:g} Å; {config.device}, {config.threads} thread(s), {config.dtype}; "
        f"{' or '.join(limits)}"
    )


def config_fingerprint(config: TrainingConfig, sources: Sequence[LoadedSource]) -> str:
    """Hash of what a resumed run must share with the one it continues; options left at their defaults are not
    part of it, so that a later version with more options can resume.
    """
    excluded = {"output", "threads", "schedule", "card", "name", "device"}
    text = json.dumps(config.model_dump(mode="json", exclude=excluded, exclude_defaults=True), sort_keys=True)
    text += "".join("".join((item.sha256, *item.teacher_sha256, item.validation_sha256)) for item in sources)
    return hashlib.sha256(text.encode()).hexdigest()


def make_card(
    config: TrainingConfig,
    sources: Sequence[LoadedSource],
    network: Network,
    progress: Progress,
    older: Mapping[str, Any],
) -> dict[str, Any]:
    """Provenance of a model: data, configuration, curve, validation errors."""
    import torch

    from bec_md import __version__

    rows = progress.history
    step = max(1, len(rows) // 50)
    return {
        "name": config.name,
        "default_level": sources[0].source.level,  # also where a fine-tuned network knows others
        **config.card,
        "eps_inf_trained": config.loss.eps_inf > 0.0
        and any(frame.eps_inf is not None for item in sources for frame in item.training),
        "training": {
            "bec_md": __version__,
            "torch": torch.__version__.split("+")[0],
            "config": config.model_dump(mode="json", exclude={"output", "card"}),
            "data": [
                {
                    "file": Path(item.source.path).name,
                    "sha256": item.sha256,
                    "level": item.source.level,
                    "training_frames": len(item.training),
                    "training_atoms": sum(frame.n_atoms for frame in item.training),
                    "validation_frames": len(item.validation),
                    **({"teacher_sha256": list(item.teacher_sha256)} if item.teacher_sha256 else {}),
                    **({"validation_sha256": item.validation_sha256} if item.validation_sha256 else {}),
                }
                for item in sources
            ],
            **older,
            "n_parameters": sum(p.numel() for p in network.parameters()),
            "epochs": progress.epoch,
            "best_epoch": progress.best_epoch,
            "best_score_e": progress.best_score,
            "minutes": round(progress.elapsed_s / 60.0, 1),
            "curve": rows[::step],
        },
    }


@contextmanager
def stop_on_signal(trainer: Trainer, report: Callable[[str], None]) -> Iterator[None]:
    """Within the block, the first signal to end stops training after the current step and saves."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: Any) -> None:
        """Stop after this step; at once if asked a second time."""
        if trainer.stop_requested:
            raise KeyboardInterrupt
        trainer.stop_requested, trainer.stopped_by = True, number
        report("stopping after this step; a second signal stops at once")

    wanted = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup holds
        wanted.append(signal.SIGHUP)
    previous = {number: signal.signal(number, handle) for number in wanted}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
