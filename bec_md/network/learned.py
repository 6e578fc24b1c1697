"""Which files a model has learned from, by their content: errors on these are none of unseen structures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bec_md.network.model_file import read_header


@dataclass(frozen=True, slots=True)
class LearnedFile:
    """A file of labels, as the card of a model tells of it.

    Parameters
    ----------
    model
        Name of the model.
    n_training
        Structures learned from.
    validation, split, fold, seed
        What was held back, see `bec_md.training.config.Source`.
    """

    model: str
    n_training: int
    validation: float | str | None
    split: str | None
    fold: tuple[int, int] | None
    seed: int | None

    def held_back(
        self,
        validation: float | str | None,
        split: str | None,
        fold: tuple[int, int] | None,
        seed: int | None,
    ) -> bool:
        """Whether everything that is held back in this way was held back from the model as well."""
        if (split, fold) != (self.split, self.fold) or (split == "composition" and seed != self.seed):
            return False
        if fold is None and isinstance(validation, float) and isinstance(self.validation, float):
            return validation <= self.validation
        return validation == self.validation

    def and_before(self, older: LearnedFile) -> LearnedFile:
        """What two models have learned from, one of which was made of the other."""
        if self.held_back(older.validation, older.split, older.fold, older.seed):
            return older
        if older.held_back(self.validation, self.split, self.fold, self.seed):
            return self
        return replace(self, validation=None)


def learned_files(path: Path) -> dict[str, LearnedFile]:
    """Files whose own labels a model, or what it was made of, has learned from, by SHA-256."""
    header = read_header(path)
    found: dict[str, LearnedFile] = {}
    for part in header.get("mean_of") or ():
        merge(found, learned_files(Path(part)))
    training: Mapping[str, Any] = {} if "mean_of" in header else header["card"].get("training") or {}
    config = training.get("config") or {}
    asked = [*config.get("data", ()), *((config.get("finetune") or {}).get("replay") or ())]
    for row, source in zip(training.get("data", ()), asked, strict=False):
        if row.get("training_frames") and not source.get("teacher"):
            found[row["sha256"]] = LearnedFile(
                str(header["card"].get("name", path.stem)),
                row["training_frames"],
                source.get("validation"),
                source.get("split"),
                _fold(source),
                config.get("seed"),
            )
    older = training.get("learned_before", {})
    merge(found, {key: LearnedFile(**{**row, "fold": _fold(row)}) for key, row in older.items()})
    return found


def merge(found: dict[str, LearnedFile], more: Mapping[str, LearnedFile]) -> None:
    """Add what another model has learned from, of which this one was made."""
    for key, one in more.items():
        found[key] = found[key].and_before(one) if key in found else one


def _fold(source: Mapping[str, Any]) -> tuple[int, int] | None:
    fold = source.get("fold")
    return None if fold is None else (int(fold[0]), int(fold[1]))
