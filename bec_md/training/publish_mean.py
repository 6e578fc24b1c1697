"""From two trained networks to a model that is their mean: shares, uncertainty and test errors are measured.

The compositions that the first network's configuration held back decide how much each counts, and calibrate
the uncertainty; the second has learned from the same data with the same seed. It is the second opinion on the
mean, too: what they differ by tells more than the uncertainty, which holds the spread of members beside.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bec_md.atomic import write_text
from bec_md.evaluation import Evaluation, evaluate_model
from bec_md.network.model_file import read_header, save_mean
from bec_md.network.registry import model_path
from bec_md.training.publish import domain_entries, model_card, sources_of, stated_errors
from bec_md.training.sources import LoadedSource, holds_compositions_back
from bec_md.training.validation import card_entries

STEP = 0.05
#: Entries of the first network's card that the mean keeps.
_KEPT = ("default_level", "data", "stated", "tests", "training", "eps_inf_trained")


def publish_mean(
    first: str | Path, second: str | Path, *, name: str, data_root: str | Path, destination: str | Path
) -> Path:
    """Write the mean of two networks, with its card, into a folder.

    Parameters
    ----------
    first, second
        Names of bundled models, or model files of `bec-md train`.
    name
        Of the mean.
    data_root
        Folder that relative paths of data start at, if not at `destination`.
    destination
        Folder for ``NAME.safetensors`` and ``NAME.md``.
    """
    folder, root = Path(destination), Path(data_root)
    parts = [model_path(first), model_path(second)]
    held = _held_back(parts[0], folder, root)
    by_part = [[_evaluated(part, item) for item in held] for part in parts]
    share = best_share(*by_part)
    shares = dict(zip(parts, (share, 1 - share), strict=True))
    own = read_header(parts[0])["card"]
    card = {key: own[key] for key in _KEPT if key in own} | {
        "name": name,
        "shares": {part.stem: value for part, value in shares.items()},
    }
    target = folder / f"{name}.safetensors"
    named: dict[str | Path, float] = {os.path.relpath(part, folder): value for part, value in shares.items()}
    save_mean(target, named, card)
    count = len(read_header(target)["config"]["elements"])
    card["description"] = (
        f"Born effective charges of {count} elements, the mean of {' and '.join(card['shares'])}"
    )
    found = {item.source.name: _evaluated(target, item) for item in held}
    card |= card_entries(found, frozenset(found))
    card["training_structures"] = read_header(target)["card"]["training_structures"]
    others = [one.predicted for one in by_part[1]]
    card |= domain_entries(card, str(second), list(zip(found.values(), others, strict=True)))
    card |= stated_errors(target, card, config_folder=folder, data_root=root)
    save_mean(target, named, card)
    write_text(target.with_suffix(".md"), model_card(read_header(target)["card"]))
    return target


def best_share(first: Sequence[Evaluation], second: Sequence[Evaluation]) -> float:
    """Share of the first network with which the mean of both has the smallest mean absolute error.

    Parameters
    ----------
    first, second
        Of the same structures by both networks.
    """
    labels, a, b = (
        np.concatenate([getattr(one, key) for one in found])
        for found, key in ((first, "labels"), (first, "predicted"), (second, "predicted"))
    )
    shares = np.arange(STEP, 1.0, STEP).round(2)
    errors = [float(np.abs(share * a + (1 - share) * b - labels).mean()) for share in shares]
    return float(shares[int(np.argmin(errors))])


def _held_back(model: Path, config_folder: Path, data_root: Path) -> list[LoadedSource]:
    """Files of which a network's configuration held compositions back."""
    _, sources = sources_of(model, config_folder=config_folder, data_root=data_root)
    return [item for item in sources if holds_compositions_back(item.source)]


def _evaluated(model: Path, item: LoadedSource) -> Evaluation:
    return evaluate_model(model, item.validation, level=item.source.level, threads=1)


def main() -> None:
    """Command line: ``python -m bec_md.training.publish_mean universal universal-polarization …``."""
    import argparse

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("--name", required=True)
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    given = parser.parse_args()
    print(
        publish_mean(
            given.first, given.second, name=given.name, data_root=given.data_root, destination=given.to
        )
    )


if __name__ == "__main__":
    main()
