"""From a trained network to a model that ships: measured test errors in its header, a model card beside it.

The configuration's section ``card`` says what to measure and where the model is at home::

    card:
      description: silica at 300 K  # {n_elements} stands for the number of elements
      default_level: pbe            # level of theory taken when none is named
      stated: quartz                # the test whose RMSE is the stated error
      tests:
        - {label: quartz, path: test/sio2_test.xyz, level: pbe}
      domain: {text: silica, elements: [8, 14], any_of: [[8], [14]]}   # leave out for a universal model
      second_opinion: {model: universal-polarization}   # another model of the same data, if there is one
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from bec_md.arrays import Array
from bec_md.atomic import write_text
from bec_md.errors import UsageError
from bec_md.evaluation import Evaluation, evaluate_model
from bec_md.network.familiarity import FEW_STRUCTURES, hardly_seen
from bec_md.network.model_file import load_network, read_header, save_model
from bec_md.network.registry import model_path
from bec_md.network.second_opinion import rms_difference
from bec_md.training.config import TrainingConfig, find_data_file
from bec_md.training.domain import limit_of_unseen, means_of_structures
from bec_md.training.sources import LoadedSource, load_sources, make_training_data
from bec_md.training.validation import validate

#: What the card keeps of an evaluation.
KEPT = (
    "rmse_e",
    "mae_e",
    "r2",
    "median_frame_rmse_e",
    "median_frame_mae_e",
    "antisymmetric_rmse_e",
    "sum_rule_residual_e",
    "eps_inf_median_relative",
    "n_tensors",
)

OUTSIDE = 0.125
"""Part of the held-back compositions that uncertainty, and as much that a second opinion, puts outside."""


def publish(model: str | Path, *, data_root: str | Path, destination: str | Path) -> Path:
    """Measure a trained model on its tests and write it, with its card, into a folder.

    Parameters
    ----------
    model
        Model file of `bec-md train`, with a section ``card`` as above.
    data_root
        Folder that relative paths of data start at, if not at `destination`.
    destination
        Folder for ``NAME.safetensors`` and ``NAME.md``.

    Raises
    ------
    UsageError
        If the card names no tests.
    """
    source, folder = Path(model), Path(destination)
    header = read_header(source)
    card: dict[str, Any] = dict(header["card"])
    count = str(len(header["config"]["elements"]))
    card["description"] = str(card["description"]).replace("{n_elements}", count)
    tests = card.get("tests")
    if not tests:
        raise UsageError(
            f"{source}: its card names no tests",
            "a shipped model states errors measured on held-back data",
            "add tests to the section 'card' of the training configuration",
        )
    root = Path(data_root)
    if "second_opinion" in card:
        second = str(card["second_opinion"]["model"])
        pairs = opinions_of_unseen(source, second, config_folder=folder, data_root=root)
        card |= domain_entries(card, second, pairs)
    card |= stated_errors(source, card, config_folder=folder, data_root=root)
    target = folder / f"{card['name']}.safetensors"
    save_model(target, load_network(source), card)
    write_text(target.with_suffix(".md"), model_card(card))
    return target


def stated_errors(
    source: Path, card: Mapping[str, Any], *, config_folder: Path, data_root: Path
) -> dict[str, Any]:
    """Entries of the card of a model about its errors on the tests that the card names."""
    errors, tests = {}, card["tests"]
    training = [
        find_data_file(item["path"], config_folder=config_folder, data_root=data_root)
        for item in card["training"]["config"]["data"]
        if not item.get("teacher")
    ]
    for test in tests:
        result = evaluate_model(
            source,
            find_data_file(test["path"], config_folder=config_folder, data_root=data_root),
            level=test["level"],
            threads=1,
            training_data=training,
        )
        errors[test["label"]] = {
            "file": Path(test["path"]).name,
            "level": test["level"],
            **{key: result.metrics[key] for key in KEPT if key in result.metrics},
            "element_mean_rmse_e": result.metrics["baselines"]["element_mean"]["rmse_e"],
        }
    stated = card.get("stated", tests[0]["label"])
    return {
        "errors": errors,
        "stated_error_e": errors[stated]["rmse_e"],
        "stated_error_data": f"{stated}, {errors[stated]['n_tensors']} test tensors",
    }


def sources_of(
    model: Path, *, config_folder: Path, data_root: Path
) -> tuple[TrainingConfig, list[LoadedSource]]:
    """Configuration and labels of a trained model; what it began with, and teachers, need not be there.

    Parameters
    ----------
    model
        Model file of `bec-md train`.
    config_folder, data_root
        Folders that relative paths of data start at.
    """
    settings = TrainingConfig.model_validate(read_header(model)["card"]["training"]["config"])
    own = tuple(source for source in settings.data if not source.teachers)
    settings = settings.model_copy(update={"data": own})
    if settings.finetune and not settings.finetune.replay:
        settings = settings.model_copy(update={"finetune": None})
    return settings, load_sources(
        settings, config_folder=config_folder, data_root=data_root, report=lambda _: None
    )


def opinions_of_unseen(
    model: Path, second: str, *, config_folder: Path, data_root: Path
) -> list[tuple[Evaluation, Array]]:
    """What a model, and the tensors that another, has for held-back compositions, file by file.

    Parameters
    ----------
    model
        Model file of `bec-md train`; its configuration says what was held back of both.
    second
        Name or path of the model to compare with, trained on the same compositions.
    config_folder, data_root
        Folders that relative paths of data start at.
    """
    settings, sources = sources_of(model, config_folder=config_folder, data_root=data_root)
    found = []
    for network in (load_network(model), load_network(model_path(second))):
        shape = network.config
        data = make_training_data(
            sources, settings, cutoff_ang=shape.cutoff_ang, levels=shape.levels, dtype=torch.float32
        )
        limit = settings.batch.validation_edges or settings.batch.max_edges
        evaluations = validate(network, data, max_edges=limit)
        found.append({name: item for name, item in evaluations.items() if name in data.unseen})
    return [(item, found[1][name].predicted) for name, item in found[0].items()]


def domain_entries(
    card: Mapping[str, Any], second: str, pairs: Sequence[tuple[Evaluation, Array]]
) -> dict[str, Any]:
    """Entries of a card: the difference from a second opinion, and the uncertainty, that raise doubts.

    Parameters
    ----------
    card
        Has the factor of the uncertainty.
    second
        Name or path of the second opinion.
    pairs
        Of each file with held-back compositions: what the model says, without that factor, and the tensors of
        the second opinion.
    """
    differences = [rms_difference(one.predicted, other, one.frame) for one, other in pairs]
    difference = limit_of_unseen(differences, flagged=OUTSIDE)
    entries: dict[str, Any] = {"second_opinion": {"model": second, "difference_e": difference}}
    spreads = [
        means_of_structures(one.frame, card["uncertainty_scale"] * one.uncertainty_e)
        for one, _ in pairs
        if one.uncertainty_e is not None
    ]
    if spreads:
        limit = limit_of_unseen(spreads, flagged=OUTSIDE)
        entries["domain_uncertainty_e"] = dict.fromkeys(card["training_structures"], limit)
    return entries


def model_card(card: Mapping[str, Any]) -> str:
    """The card as Markdown: what it is for, what it was trained on, what it gets wrong."""
    training = card["training"]
    lines = [
        f"# {card['name']}",
        "",
        f"{card['description']}.",
        "",
        f"- Default level of theory: `{card['default_level']}`",
        *_making(card, training),
    ]
    if "domain" in card:
        lines.append(f"- Taken by `--model auto` for: {card['domain']['text']}")
    lines += [
        "",
        "## Data",
        "",
        f"{card['data']}.",
        "",
        "| file | level | training frames | tensors | validation frames |",
        "|---|---|---|---|---|",
    ]
    finetune = training["config"].get("finetune") or {}
    asked = [*training["config"]["data"], *finetune.get("replay", ())]
    lines += [
        f"| {row['file']}{_taught_note(source)} | {row['level']} | {row['training_frames']} |"
        f" {row['training_atoms']} | {row['validation_frames']} |"
        for row, source in zip(training["data"], asked, strict=True)
    ]
    lines += [
        "",
        "## Errors on held-back data",
        "",
        "| test | tensors | RMSE (e) | MAE (e) | median MAE per frame (e) | antisymmetric RMSE (e) | ε∞ |"
        " RMSE of element means (e) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for label, row in card["errors"].items():
        eps = row.get("eps_inf_median_relative")
        lines.append(
            f"| {label} | {row['n_tensors']} | {row['rmse_e']:.4f} | {row['mae_e']:.4f} |"
            f" {row['median_frame_mae_e']:.4f} | {row['antisymmetric_rmse_e']:.4f} |"
            f" {'' if eps is None else f'{100 * eps:.1f} %'} | {row['element_mean_rmse_e']:.3f} |"
        )
    lines += _uncertainty(card)
    lines += _little_seen(card)
    if "remarks" in card:
        lines += ["", f"{card['remarks']}"]
    return "\n".join(lines) + "\n"


def _making(card: Mapping[str, Any], training: Mapping[str, Any]) -> list[str]:
    """Lines about parameters, epochs, and the commands."""
    if "shares" in card:
        names = " and ".join(f"{share:.2f} of `{name}`" for name, share in card["shares"].items())
        return [
            f"- The mean of {names}, which has the smallest mean absolute error on the compositions that the"
            " first one held back",
            f"- Made with `python -m bec_md.training.publish_mean {' '.join(card['shares'])} --name"
            f" {card['name']} --data-root DATA`",
        ]
    finetune = training["config"].get("finetune")
    start = f", continuing `{Path(finetune['model']).stem}`" if finetune else ""
    return [
        f"- Parameters: {training['n_parameters']:,}",
        f"- Trained for {training['epochs']} epoch{'s' * (training['epochs'] != 1)},"
        f" {training['minutes']:.0f} minutes on one CPU core"
        f" (best validation in epoch {training['best_epoch']}), seed {training['config']['seed']}{start}",
        f"- Made with `bec-md train bec_md/network/bundled/{card['name']}.yaml --data-root DATA`, then"
        " `python -m bec_md.training.publish`",
    ]


def _uncertainty(card: Mapping[str, Any]) -> list[str]:
    """Sentences about calibration and the second opinion."""
    lines = []
    if "uncertainty_scale" in card:
        where = card.get("calibrated_on", "validation data")
        lines += [
            "",
            f"The ensemble's spread is multiplied by {card['uncertainty_scale']:.2f} (fitted to {where}).",
        ]
    if "second_opinion" in card:
        second = card["second_opinion"]
        lines += [
            "",
            f"Second opinion: `{second['model']}`, with a warning if the tensors of a structure differ by"
            f" more than {second['difference_e']:.2f} e (r.m.s.).",
        ]
    return lines


def _little_seen(card: Mapping[str, Any]) -> list[str]:
    """Sentence about elements that the model has hardly seen."""
    counts = card.get("training_structures", {})
    few = sorted((n, symbol) for symbol, n in hardly_seen(counts, counts).items())
    if not few:
        return []
    text = ", ".join(f"{symbol} ({n})" for n, symbol in few)
    return ["", f"Fewer than {FEW_STRUCTURES} training structures, with a warning: {text}."]


def _taught_note(source: Mapping[str, Any]) -> str:
    """What the table says of a file whose labels are those of teachers, by its part of the configuration."""
    names = source.get("teacher")
    if not names:
        return ""
    changes = {"mix": "mixed", "substitute": "one element exchanged", "displace_ang": "displaced"}
    changed = [text for key, text in changes.items() if source.get(key)]
    whose = " and ".join(Path(name).stem for name in ([names] if isinstance(names, str) else names))
    return ", ".join(["", *changed, f"labels of {whose}"])


def main() -> None:
    """Command line: ``python -m bec_md.training.publish MODEL --data-root DATA --to FOLDER``."""
    import argparse

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    arguments = parser.parse_args()
    print(publish(arguments.model, data_root=arguments.data_root, destination=arguments.to))


if __name__ == "__main__":
    main()
