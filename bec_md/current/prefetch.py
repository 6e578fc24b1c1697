"""Read ahead: an iterator runs in its own thread, a bounded number of items in front of its consumer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from typing import Any, TypeVar

T = TypeVar("T")

_END = object()


def read_ahead(source: Iterable[T], depth: int = 2) -> Iterator[T]:
    """Yield the items of `source`, which a thread reads up to `depth` items ahead.

    An exception of the source is raised here, after the items before it. Closing this generator (or
    leaving a for loop over it) stops the thread.
    """
    queue: Queue[Any] = Queue(maxsize=depth)
    stopped = threading.Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                queue.put(item, timeout=0.1)
            except Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in source:
                if not put((item, None)):
                    return
        except BaseException as error:  # handed over to the consumer, whatever it is
            put((_END, error))
        else:
            put((_END, None))

    thread = threading.Thread(target=work, name="bec-md-reader", daemon=True)
    thread.start()
    try:
        while True:
            try:
                item, error = queue.get(timeout=1.0)
            except Empty:
                continue
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        stopped.set()
        thread.join(timeout=5.0)
