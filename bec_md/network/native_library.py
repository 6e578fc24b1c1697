"""The compiled evaluator: find it, compile it when needed, declare its functions.

A library that does not fit the C++ sources beside it is never used: both carry the hash of the sources.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bec_md.native.build import LIBRARY_NAME, SOURCE_DIRECTORY, BuildError, build, source_hash
from bec_md.native.cache import cache_root, may_be_loaded, private_folder

ABI = 2
ERROR_SIZE = 4096

_log = logging.getLogger("bec_md")

_int32_p = ctypes.POINTER(ctypes.c_int32)
_int64_p = ctypes.POINTER(ctypes.c_int64)
_uint8_p = ctypes.POINTER(ctypes.c_uint8)
_float_p = ctypes.POINTER(ctypes.c_float)
_double_p = ctypes.POINTER(ctypes.c_double)


class FramesStruct(ctypes.Structure):
    """`bec_frames` of bec_native.h."""

    _fields_ = (
        ("n_frames", ctypes.c_int64),
        ("first_atom", _int64_p),
        ("positions", _double_p),
        ("species", _int32_p),
        ("cells", _double_p),
        ("periodic", _uint8_p),
        ("total_charge", _double_p),
        ("velocities", _double_p),
        ("group", _int32_p),
        ("n_groups", ctypes.c_int32),
    )


class OutputStruct(ctypes.Structure):
    """`bec_output` of bec_native.h."""

    _fields_ = (("name", ctypes.c_char_p), ("values", _double_p), ("members", _double_p))


class CouplingEntry(ctypes.Structure):
    """`bec_coupling_entry` of bec_native.h."""

    _fields_ = (("u", ctypes.c_int16), ("v", ctypes.c_int16), ("value", ctypes.c_float))


class MessagesStruct(ctypes.Structure):
    """`bec_messages` of bec_native.h."""

    _fields_ = (
        ("n_edges", ctypes.c_int64),
        ("receiver", ctypes.c_void_p),
        ("sender", ctypes.c_void_p),
        ("sets", ctypes.c_int32),
        ("components", _int32_p),
        ("channels", ctypes.c_int32),
    )


#: Products along edges and their transposes, each of two arrays into a third.
MESSAGE_PRODUCTS = ("send_harmonics", "send_tensors", "weigh_harmonics", "weigh_tensors", "project_harmonics")


class GraphStruct(ctypes.Structure):
    """`bec_graph` of bec_native.h."""

    _fields_ = (
        ("n_receivers", ctypes.c_int64),
        ("n_atoms", ctypes.c_int64),
        ("species", _int32_p),
        ("first", _int64_p),
        ("sender", _int32_p),
        ("vectors", _float_p),
        ("n_tangents", ctypes.c_int32),
        ("reverse", ctypes.c_int32),
        ("velocities", _float_p),
    )


class ProfileStruct(ctypes.Structure):
    """`bec_profile` of bec_native.h."""

    _fields_ = (
        ("neighbors_s", ctypes.c_double),
        ("gather_s", ctypes.c_double),
        ("mixing_s", ctypes.c_double),
        ("products_s", ctypes.c_double),
        ("adjoint_s", ctypes.c_double),
        ("readout_s", ctypes.c_double),
        ("mixing_flop", ctypes.c_double),
        ("products_flop", ctypes.c_double),
        ("gather_flop", ctypes.c_double),
        ("atoms", ctypes.c_int64),
        ("edges", ctypes.c_int64),
    )


@dataclass(frozen=True, slots=True)
class NativeStatus:
    """Whether the compiled evaluator can be used here, and if not, why and what helps."""

    available: bool
    reason: str = ""
    fix: str = ""
    path: Path | None = None
    instruction_set: str = ""


def native_status() -> NativeStatus:
    """Find or compile the library."""
    return _located()[0]


def installed_status() -> NativeStatus | None:
    """Status of a library that is there already, None if it would have to be compiled first."""
    found = _found()
    return None if found is None else _ready(*found)


def load_library() -> ctypes.CDLL:
    """The library with declared functions.

    Raises
    ------
    RuntimeError
        When it is not available; ask `native_status` first.
    """
    status, library = _located()
    if library is None:
        raise RuntimeError(f"the native evaluator is not available: {status.reason}")
    return library


@functools.cache
def _located() -> tuple[NativeStatus, ctypes.CDLL | None]:
    if sys.platform == "win32":
        return NativeStatus(False, "it is not built on Windows", "use the Linux subsystem, or PyTorch"), None
    found = _found()
    if found is None:
        cached = _places()[-1]
        _log.info("compiling the native evaluator, once, into %s (about 20 s)", cached.parent)
        try:
            private_folder(cached.parent)
            build(cached)
        except (BuildError, OSError) as error:
            fix = "install a C++ compiler (g++ or clang++) and reinstall bec-md, or use PyTorch, slower"
            return NativeStatus(False, str(error), fix), None
        found = _found()
    if found is None:
        return NativeStatus(False, f"{cached} cannot be loaded", "delete it; it is then compiled again"), None
    return _ready(*found), found[1]


def _places() -> tuple[Path, Path]:
    """Library of the installation, and the one compiled at first use."""
    folder = cache_root() / f"native-{source_hash()}-{platform.machine()}"
    return SOURCE_DIRECTORY / LIBRARY_NAME, folder / LIBRARY_NAME


def _found() -> tuple[Path, ctypes.CDLL] | None:
    """Return the first library that fits the sources and that nobody else can have put there."""
    for path in _places():
        safe = path.parent == SOURCE_DIRECTORY or may_be_loaded(path)
        library = _open(path, source_hash()) if safe else None
        if library is not None:
            return path, library
    return None


def _ready(path: Path, library: ctypes.CDLL) -> NativeStatus:
    return NativeStatus(True, path=path, instruction_set=library.bec_native_instruction_set().decode())


def _open(path: Path, wanted: str) -> ctypes.CDLL | None:
    """The library at `path`, or None when it is missing, broken or built from other sources."""
    if not path.is_file():
        return None
    try:
        library = ctypes.CDLL(str(path))
        _declare(library)
    except (OSError, AttributeError):
        return None
    if library.bec_native_abi() != ABI or library.bec_native_source().decode() != wanted:
        return None
    return library


def _declare(library: ctypes.CDLL) -> None:
    handle, size = ctypes.c_void_p, ctypes.c_size_t
    error = (ctypes.c_char_p, size)
    along_edges = (ctypes.POINTER(MessagesStruct), *(ctypes.c_void_p,) * 3)
    signatures: dict[str, tuple[Any, tuple[Any, ...]]] = {
        **{f"bec_{name}": (None, along_edges) for name in MESSAGE_PRODUCTS},
        "bec_native_abi": (ctypes.c_int, ()),
        "bec_native_source": (ctypes.c_char_p, ()),
        "bec_native_instruction_set": (ctypes.c_char_p, ()),
        "bec_model_load": (handle, (ctypes.c_char_p, ctypes.c_char_p, _int32_p, ctypes.c_int, *error)),
        "bec_model_free": (None, (handle,)),
        "bec_model_cutoff": (ctypes.c_double, (handle,)),
        "bec_model_layers": (ctypes.c_int, (handle,)),
        "bec_model_readout": (ctypes.c_char_p, (handle, ctypes.c_int)),
        "bec_model_members": (ctypes.c_int, (handle, ctypes.c_char_p)),
        "bec_model_ionic_charges": (ctypes.c_int, (handle, _double_p, *error)),
        "bec_model_message_width": (ctypes.c_int, (handle, ctypes.c_int)),
        "bec_evaluate_frames": (
            ctypes.c_int,
            (
                *(handle, ctypes.POINTER(FramesStruct), ctypes.c_int, ctypes.c_int),
                *(ctypes.POINTER(OutputStruct), ctypes.c_int, ctypes.POINTER(ProfileStruct), *error),
            ),
        ),
        "bec_neighbors": (
            ctypes.c_int64,
            (
                *(ctypes.c_int64, _double_p, _double_p, _uint8_p, ctypes.c_double),
                *(ctypes.c_int64, _int32_p, _int32_p, _float_p, *error),
            ),
        ),
        "bec_couple": (
            None,
            (
                *(ctypes.c_int64, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int),
                *(ctypes.POINTER(CouplingEntry), *(ctypes.c_void_p,) * 4),
            ),
        ),
        "bec_evaluation_create": (handle, (handle, ctypes.c_char_p, ctypes.c_int, *error)),
        "bec_evaluation_free": (None, (handle,)),
        "bec_evaluation_begin": (ctypes.c_int, (handle, ctypes.POINTER(GraphStruct), *error)),
        "bec_evaluation_layer": (ctypes.c_int, (handle, ctypes.c_int, _float_p, _float_p, *error)),
        "bec_evaluation_read_out": (ctypes.c_int, (handle, ctypes.c_char_p, _double_p, _double_p, *error)),
        "bec_evaluation_start_sweep": (ctypes.c_int, (handle, ctypes.c_int, _double_p, ctypes.c_int, *error)),
        "bec_evaluation_layer_adjoint": (
            ctypes.c_int,
            (handle, ctypes.c_int, _float_p, _float_p, _float_p, *error),
        ),
        "bec_evaluation_gradient": (ctypes.c_int, (handle, _double_p, *error)),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
