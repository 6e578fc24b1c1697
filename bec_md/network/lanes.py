"""Upload, computation and download of a device as three queues that run at the same time.

On CUDA they are streams, the buffers on the host are pinned, and the host waits only where `wait` is called.
On the CPU everything happens at once in the order of the calls: the same code is run and tested there.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor


class Lanes:
    """The queues of one device.

    Parameters
    ----------
    device
        ``cpu``, ``cuda``, ``cuda:1`` …
    """

    def __init__(self, device: str | torch.device) -> None:
        self.device = torch.device(device)
        self.asynchronous = self.device.type == "cuda"
        if self.asynchronous:
            self._up = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
            self._down = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]

    def on_host(self, count: int, dtype: torch.dtype) -> Tensor:
        """Return a buffer in the memory of the host that the device can copy from and to by itself."""
        return torch.empty(count, dtype=dtype, pin_memory=self.asynchronous)

    def on_device(self, count: int, dtype: torch.dtype) -> Tensor:
        """Return a buffer in the memory of the device that uploads may overwrite."""
        buffer = torch.empty(count, dtype=dtype, device=self.device)
        if self.asynchronous:  # the memory may have belonged to a computation that is still running
            self._up.wait_stream(torch.cuda.current_stream(self.device))
        return buffer

    def upload(self, source: Tensor, target: Tensor) -> None:
        """Copy to the device beside what is being computed; what is computed afterwards sees the copy."""
        with self._in(self._up if self.asynchronous else None):
            target.copy_(source, non_blocking=True)
        if self.asynchronous:
            torch.cuda.current_stream(self.device).wait_stream(self._up)

    def download(self, source: Tensor, target: Tensor) -> None:
        """Copy to the host what has been computed so far, beside what is computed next.

        `source` has to be kept until `wait` for a mark that was made afterwards.
        """
        if self.asynchronous:
            self._down.wait_stream(torch.cuda.current_stream(self.device))
        with self._in(self._down if self.asynchronous else None):
            target.copy_(source, non_blocking=True)

    def mark(self) -> Any:
        """Return a mark behind all downloads so far."""
        if not self.asynchronous:
            return None
        event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        event.record(self._down)
        return event

    def wait(self, mark: Any) -> None:
        """Let the host wait until a mark is reached: the only place where it does."""
        if mark is not None:
            mark.synchronize()

    @staticmethod
    def _in(stream: Any) -> AbstractContextManager[Any]:
        return nullcontext() if stream is None else torch.cuda.stream(stream)
