"""The card of the model behind the charges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bec_md.report.page import piece, value_text

if TYPE_CHECKING:
    from bec_md.spectrum.spectrum import Spectrum

_TEXTS = {
    "name": "Name",
    "description": "What it is for",
    "data": "Training data",
    "license": "License",
    "remarks": "Remarks",
    "stated": "Stated error is for",
    "stated_error_e": "Stated error (RMSE, e)",
    "uncertainty_scale": "Calibration of the uncertainty",
    "default_level": "Level of theory",
}
_TRAINING = {
    "bec_md": "bec-md",
    "torch": "PyTorch",
    "n_parameters": "Parameters",
    "epochs": "Epochs",
    "best_epoch": "Best epoch",
    "minutes": "Minutes",
}
_TABLES = {
    "errors": "Errors on test data, seen by neither training nor validation",
    "validation": "Errors on validation data, which chose the best epoch",
}
_ERRORS = {"rmse_e": "RMSE (e)", "mae_e": "MAE (e)", "r2": "R²", "n_tensors": "tensors"}


def find_card(spectrum: Spectrum) -> Mapping[str, Any] | None:
    """Return the card that the current carries, or that of the bundled model that it names, or None.

    A bundled model of this name with other weights (a later version of the program) is not the one.
    """
    carried = spectrum.metadata.get("model_card")
    if isinstance(carried, Mapping):
        return carried
    name = spectrum.metadata.get("model")
    if not isinstance(name, str) or not name:
        return None
    from bec_md.network.model_file import content_hash, read_header
    from bec_md.network.registry import bundled_models

    model = bundled_models().get(name)
    if model is None:
        return None
    used = str(spectrum.metadata.get("model_hash") or "").split(":")[0]
    own = content_hash(model.path, read_header(model.path))
    return model.card if not used or own.startswith(used) else None


def model_card_html(card: Mapping[str, Any]) -> str:
    """Return the card as HTML: what it is, its data, its errors on unseen data, its training."""
    texts = {label: card[name] for name, label in _TEXTS.items() if card.get(name) not in (None, "")}
    domain = card.get("domain")
    if isinstance(domain, Mapping) and domain.get("text"):
        texts["Domain"] = domain["text"]
    tables = [
        (title, ["data", *_ERRORS.values()], rows)
        for key, title in _TABLES.items()
        if (rows := _error_rows(card.get(key)))
    ]
    training = card.get("training")
    if isinstance(training, Mapping):
        training = {label: training.get(name) for name, label in _TRAINING.items()}
    else:
        training = None
    return piece("model_card", texts, tables, training)


def _error_rows(entry: Any) -> list[list[str]]:
    """Rows of name and errors from a mapping name → errors."""
    if not isinstance(entry, Mapping):
        return []
    return [
        [str(name), *(_error_text(key, item.get(key)) for key in _ERRORS)]
        for name, item in entry.items()
        if isinstance(item, Mapping) and any(key in item for key in _ERRORS)
    ]


def _error_text(key: str, value: Any) -> str:
    if key == "r2" and isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:.3g}" if isinstance(value, float) else value_text(value)
