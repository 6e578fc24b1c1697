"""Packages that only some functions need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from bec_md.errors import UsageError

#: The extra of bec-md that holds a package, where there is one.
_EXTRAS = {"xarray": "notebook", "pandas": "notebook"}


def optional_package(name: str) -> Any:
    """Return a package that may be missing.

    Raises
    ------
    UsageError
        If it is not installed, with the command that installs it.
    """
    try:
        return import_module(name)
    except ImportError:
        extra = f", or pip install 'bec-md[{_EXTRAS[name]}]'" if name in _EXTRAS else ""
        raise UsageError(
            f"the package {name} is not installed",
            "only this function needs it",
            f"pip install {name}{extra}",
        ) from None
