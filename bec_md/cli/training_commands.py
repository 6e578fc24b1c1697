"""``bec-md train``, ``evaluate`` and ``collect``: from reference data to a model and its errors."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bec_md.cli.console import Console
from bec_md.cli.failures import InterruptedByUserError, SignalledError, not_written
from bec_md.cli.options import with_options
from bec_md.cli.outputs import STDOUT, XYZ_SUFFIXES, emit_json, guard

if TYPE_CHECKING:
    from bec_md.evaluation import Evaluation
    from bec_md.training.config import TrainingConfig
    from bec_md.training.run import TrainingResult

TRAIN_HELP = "Train a network as a YAML file describes it: data, shape, schedule; or fine-tune one."
EVALUATE_HELP = "Measure the errors of a model on labelled structures."
COLLECT_HELP = (
    "Gather Born effective charges from outputs of ph.x (Quantum ESPRESSO), VASP and ABINIT into a training "
    "file."
)

DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        metavar="FOLDER",
        help="Where relative data paths start.",
        show_default="the folder of CONFIG",
    ),
]

Level = Annotated[
    str | None,
    typer.Option("--level", help="Level of theory to imitate.", show_default="the model's own"),
]
ChargesKey = Annotated[
    str | None,
    typer.Option(
        "--charges-key", metavar="NAME", help="Column of the tensors.", show_default="found by name"
    ),
]
IndexOrder = Annotated[
    Literal["polarization-first", "displacement-first"] | None,
    typer.Option("--index-order", help="Order of the stored tensors.", show_default="as the file says"),
]
TrainingData = Annotated[
    list[str] | None,
    typer.Option(
        "--training-data", metavar="FILE", help="Its element means are the baseline.", show_default=False
    ),
]
Structure = Annotated[
    Path | None,
    typer.Option(
        "--structure", metavar="FILE", help="pw.x input or output of a ph.x output.", show_default=False
    ),
]
MaxResidual = Annotated[
    float | None,
    typer.Option(
        "--max-residual",
        metavar="E",
        help="Leave out structures with a larger |ΣZ − Q|/N.",
        show_default=False,
    ),
]


@with_options()
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="Configuration.", show_default=False)],
    data_root: DataRoot = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="Folder of the results.", show_default="as CONFIG says"
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in the output folder.")
    ] = False,
    cross_validate: Annotated[
        int | None,
        typer.Option(
            "--cross-validate",
            metavar="K",
            help="Train K times more, each time with another part of the frames held back: the model then "
            "states the error on all of them.",
            show_default=False,
        ),
    ] = None,
    quiet: bool = False,
) -> None:
    """Train a network."""
    from bec_md.training import train as run_training

    console = Console(quiet)
    described: Path | TrainingConfig = config
    given = {"-o": output, "--data-root": data_root, "--cross-validate": cross_validate}
    options = [str(word) for pair in given.items() if pair[1] is not None for word in pair]
    again = shlex.join(["bec-md", "train", str(config), "--resume", *options])
    try:
        if cross_validate is not None:
            described = with_cross_validation(console, config, cross_validate, data_root, output)
        result = run_training(
            described,
            data_root=data_root,
            config_folder=config.resolve().parent,
            output=output,
            resume=resume,
            report=console.say,
        )
    except OSError as error:
        kept = f"the last checkpoint, if there is one, is whole: {again}"
        raise not_written(error.filename or "a result of the training", error, kept) from error
    if result.interrupted:
        raise InterruptedByUserError(
            f"interrupted after {result.epochs} epochs; the best model so far is {result.model}",
            "the state of the training is in its checkpoint",
            again,
            stop_of(result),
        )
    if result.best_score_e is not None:
        console.item("best", f"epoch {result.best_epoch}, validation {result.best_score_e:.4g} e")
    console.item("model", str(result.model))
    console.item("log", str(result.log))
    if result.figures:
        console.item("figures", ", ".join(map(str, result.figures)))


def stop_of(result: TrainingResult) -> KeyboardInterrupt:
    """Return what stopped a training."""
    return KeyboardInterrupt() if result.stopped_by is None else SignalledError(result.stopped_by)


def with_cross_validation(
    console: Console, path: Path, folds: int, data_root: Path | None, output: Path | None
) -> TrainingConfig:
    """Return the configuration with the error by cross-validation in its card."""
    from bec_md.training.config import load_config
    from bec_md.training.cross_validation import CrossValidation, cross_validate

    config = load_config(path)
    folder = Path(output if output is not None else config.output)
    found = cross_validate(
        config,
        folds,
        config_folder=path.resolve().parent,
        data_root=data_root,
        output=folder,
        report=console.say,
    )
    if not isinstance(found, CrossValidation):
        raise InterruptedByUserError(
            "interrupted during the cross-validation",
            "folds that are done are kept",
            "run the same command again",
            stop_of(found),
        )
    each = ", ".join(f"{error:.4g}" for error in found.fold_rmse_e)
    console.item("folds", f"RMSE {found.rmse_e:.4g} e on held-back frames ({each})")
    return config.model_copy(update={"card": {**config.card, **found.card()}})


@with_options()
def evaluate(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA", help="Extended XYZ with reference tensors (.gz and .xz too).", show_default=False
        ),
    ],
    model: str = "auto",
    level: Level = None,
    charges_key: ChargesKey = None,
    index_order: IndexOrder = None,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Use the first frames only.", show_default=False)
    ] = None,
    training_data: TrainingData = None,
    device: str = "cpu",
    threads: int | None = None,
    json: str | None = None,
    plot: Path | None = None,
    quiet: bool = False,
) -> None:
    """Evaluate a model."""
    from bec_md.evaluation import evaluate_model
    from bec_md.files import require_file

    guard({"--json": json, "--plot": plot}, figures=("--plot",))
    require_file(Path(data))
    console = Console(quiet, json == STDOUT)
    result = evaluate_model(
        model,
        data,
        level=level,
        charges_key=charges_key,
        index_order=index_order,
        limit=limit,
        training_data=training_data or (),
        device=device,
        threads=threads,
    )
    print_evaluation(console, result)
    if json is not None:
        emit_json(json, result.to_json())
    if plot is not None:
        from bec_md.plot import figure_of_errors, save_figure

        save_figure(figure_of_errors(result), plot)
        console.item("figure", str(plot))


def print_evaluation(console: Console, result: Evaluation) -> None:
    """Print the errors, in all and per element."""
    m = result.metrics
    reason = f" ({result.model_reason})" if result.model_reason else ""
    console.item("model", result.model + reason + (f"; {result.stated_error}" if result.stated_error else ""))
    console.item("data", f"{result.data}: {m['n_frames']} structures, {m['n_tensors']} tensors")
    console.item(
        "errors",
        f"RMSE {m['rmse_e']:.4f} e, MAE {m['mae_e']:.4f} e, R² {m['r2']:.5f}, median RMSE of a structure "
        f"{m['median_frame_rmse_e']:.4f} e",
    )
    console.item(
        "antisymm.",
        f"RMSE {m['antisymmetric_rmse_e']:.4f} e of {m['antisymmetric_label_rms_e']:.4f} e r.m.s.",
    )
    if "baselines" in m:
        console.item("baseline", f"element means: RMSE {m['baselines']['element_mean']['rmse_e']:.4f} e")
    console.item(
        "sum rule",
        f"|ΣZ − Q|/N {m['sum_rule_residual_e']:.1e} e, of the labels {m['label_sum_rule_residual_e']:.1e} e",
    )
    if "eps_inf_mae" in m:
        console.item("ε_∞", f"MAE {m['eps_inf_mae']:.3f} on {m['n_eps_inf']} structures")
    if "calibration" in m:
        c = m["calibration"]
        console.item(
            "uncertainty",
            f"68 % band covers {100 * c['coverage_68']:.0f} %, 95 % band {100 * c['coverage_95']:.0f} %; "
            f"rank correlation with the error {c['rank_correlation']:.2f}",
        )
    if "us_per_atom" in m:
        console.item("speed", f"{m['us_per_atom']:.3g} µs per atom")
    label = "elements"
    for symbol, row in m["per_element"].items():
        console.item(
            label,
            f"{symbol:<2} {row['n_tensors']:7d} tensors   RMSE {row['rmse_e']:.4f} e   "
            f"MAE {row['mae_e']:.4f} e   mean charge {row['mean_charge_e']:+.3f}",
        )
        label = ""
    for warning in result.warnings:
        console.warn(warning)


@with_options()
def collect(
    outputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="DFT-OUTPUT...",
            help="Outputs of ph.x and ABINIT, OUTCAR, vasprun.xml, vaspout.h5.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE.xyz", help="Extended XYZ to write.", show_default=False),
    ],
    level: Annotated[
        str | None,
        typer.Option(
            "--level", metavar="NAME", help="Level of theory.", show_default="program and functional"
        ),
    ] = None,
    structure: Structure = None,
    total_charge: Annotated[
        float | None,
        typer.Option(
            "--total-charge", metavar="E", help="Net charge of every cell.", show_default="as stated"
        ),
    ] = None,
    max_residual_e: MaxResidual = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out files that cannot be read.")
    ] = False,
    quiet: bool = False,
) -> None:
    """Collect labels."""
    from bec_md.training import collect as run_collect

    guard({"--output": output}, suffixes={"--output": XYZ_SUFFIXES})
    console = Console(quiet)
    found = run_collect(
        outputs,
        output,
        level=level,
        structure=structure,
        total_charge=total_charge,
        max_residual_e=max_residual_e,
        skip_bad=skip_bad,
    )
    for sentence in found.rejected:
        console.warn(f"left out: {sentence}")
    for sentence in found.warnings:
        console.warn(sentence)
    console.item("collected", found.summary())
