"""Build hook: compile the native evaluator into the package when the machine has a C++ compiler."""

from __future__ import annotations

import importlib.util
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeBuildHook(BuildHookInterface[Any]):
    """Without a compiler the wheel is pure Python: the network then runs in PyTorch, slower."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the files of the wheel are collected."""
        native = Path(self.root) / "bec_md" / "native"
        spec = importlib.util.spec_from_file_location("bec_native_build", native / "build.py")
        if spec is None or spec.loader is None:
            raise RuntimeError(f"{native / 'build.py'} cannot be loaded")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        library = native / module.LIBRARY_NAME
        try:
            module.build(library)
        except module.BuildError as error:
            library.unlink(missing_ok=True)  # an older build would not fit the sources
            self.app.display_warning(
                f"the native evaluator was not compiled: {error}; PyTorch is used instead"
            )
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
        build_data["artifacts"].append(f"bec_md/native/{module.LIBRARY_NAME}")
