"""Held-back structures that the network a training begins with, or a teacher, has learned from before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bec_md.network.learned import LearnedFile, learned_files, merge
from bec_md.network.registry import model_beside
from bec_md.training.config import TrainingConfig
from bec_md.training.sources import LoadedSource

#: Said of a stated error where some held-back structures were learned from in this way.
SEEN_BEFORE = "; some were learned from before"


def learned_before(config: TrainingConfig, sources: Sequence[LoadedSource], config_folder: Path) -> list[str]:
    """Say of which files a model has learned what is held back now.

    Parameters
    ----------
    config
        Of this training.
    sources
        Its files.
    config_folder
        Folder that relative paths of models start at.
    """
    found: list[str] = []
    for path in _made_of(config, sources, config_folder):
        files = learned_files(path)
        for item in sources:
            source, other = item.source, files.get(item.validation_sha256 or item.sha256)
            if other is None or not item.validation:
                continue
            if not item.validation_sha256 and other.held_back(
                source.validation, source.split, source.fold, config.seed
            ):
                continue
            file = Path(source.validation if isinstance(source.validation, str) else source.path).name
            found.append(
                f"{source.name}: {other.model} has learned from {other.n_training} structures of {file}, not "
                "all of which are learned from now: the error on those held back is none of unseen "
                "structures; hold back what was held back there, or begin with another model"
            )
    return found


def inherited(config: TrainingConfig, sources: Sequence[LoadedSource], config_folder: Path) -> dict[str, Any]:
    """Entry of the card: files that the network to start from, and teachers, have learned from."""
    found: dict[str, LearnedFile] = {}
    for path in _made_of(config, sources, config_folder):
        merge(found, learned_files(path))
    return {"learned_before": {key: asdict(one) for key, one in found.items()}} if found else {}


def _made_of(config: TrainingConfig, sources: Sequence[LoadedSource], config_folder: Path) -> list[Path]:
    names = [config.finetune.model] if config.finetune else []
    names += [name for item in sources for name in item.source.teachers]
    return [model_beside(name, config_folder) for name in dict.fromkeys(names)]
