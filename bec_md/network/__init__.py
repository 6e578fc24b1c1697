"""The Z* network: architecture, model files, bundled models and the engines that evaluate them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.lazy import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "loading": "load_model",
        "model_file": "save_mean",
        "predictor": "BecModel",
    },
)

if TYPE_CHECKING:
    from bec_md.network.loading import load_model as load_model
    from bec_md.network.model_file import save_mean as save_mean
    from bec_md.network.predictor import BecModel as BecModel
