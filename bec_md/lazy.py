"""Names of a package that are imported when they are first used, so that ``import bec_md`` stays light."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def on_first_use(
    package: str, modules: dict[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package.

    Parameters
    ----------
    package
        Its ``__name__``.
    modules
        By module below the package: the names it gives, separated by spaces. A module's own name stands for
        the module.
    """
    home = {name: module for module, names in modules.items() for name in names.split()}

    def attribute(name: str) -> Any:
        """Import a name of the package."""
        if name not in home:
            if not name.startswith("_") and find_spec(f"{package}.{name}") is not None:
                return import_module(f"{package}.{name}")  # a module below it
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f"{package}.{home[name]}")
        return module if home[name] == name else getattr(module, name)

    def names() -> list[str]:
        """Return the public names."""
        return sorted(home)

    return attribute, names, sorted(home)
