"""The models that ship with the package, and which of them suits a system."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bec_md.errors import UsageError
from bec_md.files import expanded, is_file
from bec_md.network.model_file import read_header

BUNDLED = Path(__file__).parent / "bundled"
FALLBACK = "universal"


@dataclass(frozen=True, slots=True)
class BundledModel:
    """One shipped model: its name, its file and the card from the file's header."""

    name: str
    path: Path
    card: dict[str, Any]
    levels: tuple[str, ...]

    def suits(self, elements: Iterable[int]) -> bool:
        """Whether a system of these elements lies in the domain that the card states."""
        domain = self.card.get("domain")
        if not domain:
            return False
        present = set(elements)
        required = [set(group) for group in domain["any_of"]]
        return present <= set(domain["elements"]) and all(present & group for group in required)


def bundled_models() -> dict[str, BundledModel]:
    """All shipped models by name."""
    found = {}
    for path in sorted(BUNDLED.glob("*.safetensors")):
        header = read_header(path)
        levels = tuple(header["config"]["levels"])
        found[path.stem] = BundledModel(path.stem, path, header["card"], levels)
    return found


def means_bundled(name: str) -> bool:
    """Whether this is the name of a bundled model, or a word like one; not the name of a file."""
    names = [path.stem for path in BUNDLED.glob("*.safetensors")]
    return name in names or ("." not in name and bool(difflib.get_close_matches(name, names, n=1)))


def model_path(name_or_path: str | Path) -> Path:
    """File of a bundled model's name, or the path itself.

    Raises
    ------
    UsageError
        If it is neither a bundled name nor an existing file.
    """
    names = [path.stem for path in sorted(BUNDLED.glob("*.safetensors"))]
    if str(name_or_path) in names:
        return BUNDLED / f"{name_or_path}.safetensors"
    path = expanded(name_or_path)
    if is_file(path):
        return path
    close = difflib.get_close_matches(str(name_or_path), names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise UsageError(
        f"there is no model {str(name_or_path)!r}",
        "it is neither the name of a bundled model nor a file",
        f"{hint}bundled models: {', '.join(names) or 'none'}; `bec-md train` makes others",
    )


def model_beside(name_or_path: str, folder: Path) -> Path:
    """File of a model that a configuration names: one in its folder, else as `model_path`."""
    beside = folder / name_or_path
    return model_path(beside if beside.is_file() else name_or_path)


def choose_model(elements: Iterable[int], level: str | None = None) -> tuple[str, str]:
    """Name of the bundled model for these elements, and the reason for the choice.

    A specialized model is taken when the elements are those of the domain that its card states and it has the
    level of theory that is asked for, the one with the smallest stated error if several are; else the
    universal one. Whether the structures lie in that domain, `bec_md.network.loading` finds out.
    """
    present = sorted(set(elements))
    fitting = [model for model in bundled_models().values() if model.suits(present)]
    if not fitting:
        return FALLBACK, "no specialized model is taken for these elements by itself; bec-md models lists all"
    able = [model for model in fitting if level is None or level in model.levels]
    if not able:
        names = ", ".join(model.name for model in fitting)
        return FALLBACK, f"{names} has no level of theory {level}"
    best = min(able, key=lambda model: float(model.card.get("stated_error_e", 1e9)))
    return best.name, f"its domain is {best.card['domain']['text']}"


def stated_error(card: dict[str, Any]) -> str:
    """Return the error that a model card states, in words."""
    error = card.get("stated_error_e")
    if error is None:
        raw = "training" in card and "uncertainty_scale" not in card
        return "its card states no error" + (", and its uncertainty is not calibrated" if raw else "")
    data = card.get("stated_error_data")
    return f"stated error {float(error):.3g} e" + (f" ({data})" if data else "")
