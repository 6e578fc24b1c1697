"""The staged interface of the C++ library, as LAMMPS uses it."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from bec_md.network.native import NativeModel, _pointer, native_error
from bec_md.network.native_library import ERROR_SIZE, GraphStruct, load_library


class StagedEvaluation:
    """One `bec_evaluation`."""

    def __init__(self, model: NativeModel, threads: int = 1) -> None:
        self.model = model
        self.library = load_library()
        self.error = ctypes.create_string_buffer(ERROR_SIZE)
        handle = self.library.bec_evaluation_create(model.handle, None, threads, self.error, ERROR_SIZE)
        self.handle = ctypes.c_void_p(handle)

    def __del__(self) -> None:
        self.library.bec_evaluation_free(self.handle)

    def width(self, layer: int) -> int:
        return int(self.library.bec_model_message_width(self.model.handle, layer))

    def begin(
        self,
        species: NDArray[np.int32],
        first: NDArray[np.int64],
        sender: NDArray[np.int32],
        vectors: NDArray[np.float32],
    ) -> None:
        self.arrays = (species, first, sender, vectors)
        self.n_receivers = len(first) - 1
        graph = GraphStruct(self.n_receivers, len(species), *(_pointer(array) for array in self.arrays))
        self._check(
            self.library.bec_evaluation_begin(self.handle, ctypes.byref(graph), self.error, ERROR_SIZE)
        )

    def layer(self, layer: int, messages: NDArray[np.float32] | None) -> NDArray[np.float32]:
        out = np.full((self.n_receivers, self.width(layer + 1)), np.nan, dtype=np.float32)
        self._check(
            self.library.bec_evaluation_layer(
                self.handle,
                layer,
                None if messages is None else _pointer(np.ascontiguousarray(messages)),
                _pointer(out),
                self.error,
                ERROR_SIZE,
            )
        )
        return out

    def read_out(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        charges = np.empty((self.n_receivers, 3, 3))
        members = np.empty((self.n_receivers, self.model.members, 3, 3))
        polarizability = np.empty((self.n_receivers, 3, 3))
        for name, values, each in (("charges", charges, members), ("polarizability", polarizability, None)):
            self._check(
                self.library.bec_evaluation_read_out(
                    self.handle,
                    name.encode(),
                    _pointer(values),
                    None if each is None else _pointer(each),
                    self.error,
                    ERROR_SIZE,
                )
            )
        return charges, members, polarizability

    def _check(self, status: int) -> None:
        if status:
            raise native_error(self.error)
