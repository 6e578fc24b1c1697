"""The Z* network: architecture, model files, bundled models and the engines that evaluate them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bec_md.lazy import on_first_use

__getattr__, __dir__, __all__ = on_first_use(
    __name__,
    {
        "predictor": "BecModel load_model",
    },
)

if TYPE_CHECKING:
    from bec_md.network.predictor import BecModel as BecModel
    from bec_md.network.predictor import load_model as load_model
