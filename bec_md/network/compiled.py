"""A network as an AOTInductor package (.pt2), for programs that hold libtorch but no Python.

`fix bec` and the native engine read the model file itself and need none of this. The package takes the fields
of `bec_md.network.graph.Graph` in their order (any number of atoms, edges and frames) and returns the charges
(N, 3, 3), the members (N, M, 3, 3) and ε_∞ (B, 3, 3).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bec_md.errors import UsageError
from bec_md.network.model_file import load_network, read_header

if TYPE_CHECKING:
    from torch import Tensor

    from bec_md.network.polarization import Network

#: Instruction set of the generated code: every x86-64 processor since about 2015.
PORTABLE = {"cpp.march": "x86-64-v3", "cpp.simdlen": 256}


def compile_model(model: str | Path, output: str | Path, *, portable: bool = True) -> dict[str, Any]:
    """Compile a model file into a package; needs a C++ compiler and about a minute.

    Parameters
    ----------
    model
        Model file.
    output
        Package to write, ``….pt2``.
    portable
        Generate code for x86-64-v3 instead of the machine's own instruction set.

    Returns
    -------
    dict
        The metadata that the package carries: cutoff, layers, elements, levels, convention, dtype, version of
        torch and instruction set.

    Raises
    ------
    UsageError
        If `output` does not end in .pt2, or there is no C++ compiler.
    """
    import e3nn
    import torch

    from bec_md.native.build import find_compiler

    target = Path(output)
    if target.suffix != ".pt2":
        raise UsageError(
            f"{target} does not end in .pt2", "AOTInductor packages do", f"write {target.with_suffix('.pt2')}"
        )
    if not find_compiler():
        raise UsageError(
            "no C++ compiler was found", "the package holds machine code", "install g++ (or set CXX)"
        )
    header = read_header(model)
    if header["config"].get("readout") == "polarization":
        raise UsageError(
            f"{model} predicts a polarization, whose derivative needs PyTorch's backward pass",
            "a package holds the forward pass alone",
            "train a network with the direct read-out on its tensors (`teacher`, docs/training.md)",
        )
    before = e3nn.get_optimization_defaults()["jit_mode"]
    e3nn.set_optimization_defaults(jit_mode="eager")
    try:
        network = load_network(model)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # deprecations inside torch.export itself
            program = torch.export.export(
                _exported(network), _example(network.config.elements), dynamic_shapes=_shapes()
            )
            metadata = _metadata(header, portable)
            configs: dict[str, Any] = {"aot_inductor.metadata": {"bec_md": json.dumps(metadata)}}
            torch._inductor.aoti_compile_and_package(
                program,
                package_path=str(target),
                inductor_configs=configs | (PORTABLE if portable else {}),
            )
    finally:
        e3nn.set_optimization_defaults(jit_mode=before)
    return metadata


def compiled_network(network: Network) -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    """Have a network compiled by TorchInductor in this process, for any number of atoms, edges and frames.

    The first call takes a minute or two. Arguments are the fields of a graph in their order; results are the
    charges, the members and ε_∞.
    """
    import torch

    # exported first: what checks the validity of compiled code cannot look into the irreps of e3nn
    example = tuple(
        tensor.to(network.element) if tensor.is_floating_point() else tensor.to(network.element.device)
        for tensor in _example(network.config.elements)
    )
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # deprecations inside torch.export itself
        program = torch.export.export(_exported(network), example, dynamic_shapes=_shapes())
    return torch.compile(program.module(), dynamic=True)


def _metadata(header: dict[str, Any], portable: bool) -> dict[str, Any]:
    import torch

    config = header["config"]
    return {
        "name": header["card"].get("name"),
        "cutoff_ang": config["cutoff_ang"],
        "layers": config["layers"],
        "elements": config["elements"],
        "levels": config["levels"],
        "irreps": "0e + 1e + 2e",
        "convention": header["convention"],
        "dtype": "float32",
        "torch": torch.__version__.split("+")[0],
        "instruction_set": "x86-64-v3" if portable else "native",
    }


def _example(elements: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Two small frames to trace with."""
    import numpy as np
    from ase import Atoms

    from bec_md.network.graph import build_graph

    grid = np.stack(np.meshgrid(*[np.arange(2)] * 3), axis=-1).reshape(-1, 3)
    numbers = [elements[i % len(elements)] for i in range(8)]
    frames = [
        Atoms(numbers, positions=grid * 2.5 + 0.1 * np.sin(grid + k), cell=np.eye(3) * 5.0, pbc=True)
        for k in range(2)
    ]
    graph = build_graph(frames, 4.0)
    return tuple(getattr(graph, field.name) for field in fields(graph))


def _shapes() -> tuple[tuple[dict[int, Any], ...]]:
    import torch

    atoms = torch.export.Dim("atoms", min=2)
    edges = torch.export.Dim("edges", min=2)
    frames = torch.export.Dim("frames", min=1)
    return (({0: atoms}, {0: atoms}, {0: edges}, {0: edges}, {0: edges}, *[{0: frames}] * 3),)


def _exported(network: Any) -> Any:
    """The network as a module of plain tensors: in the fields of a graph, out three arrays."""
    import torch

    from bec_md.network.graph import Graph

    class Exported(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *tensors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            output = self.network(Graph(*tensors))
            return output.charges, output.members, output.eps_inf

    return Exported()
