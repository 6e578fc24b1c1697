"""Read ahead in a background thread, so that parsing overlaps with evaluating charges."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

from bec_md.errors import UsageError

Item = TypeVar("Item")

_POLL_S = 0.1


class _End:
    """Marks the end of the items, with the exception that ended them if there was one."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(items: Iterable[Item], depth: int = 16) -> Generator[Item, None, None]:
    """Yield the items in order while a thread reads up to `depth` of them ahead.

    An exception of the source is raised here, after the items before it. Closing the generator (or leaving
    a loop over it) ends the thread and closes the source.

    Raises
    ------
    UsageError
        If `depth` is not positive.
    """
    if depth < 1:
        raise UsageError(f"depth={depth}", "it is the number of frames read ahead", "use depth=1 or more")
    return _consume(items, depth)


def _consume(items: Iterable[Item], depth: int) -> Generator[Item, None, None]:
    queue: Queue[Item | _End] = Queue(maxsize=depth)
    stopped = Event()
    thread = Thread(target=_produce, args=(items, queue, stopped), name="bec-md-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item = queue.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stopped.set()
        while thread.is_alive():
            try:
                queue.get_nowait()
            except Empty:
                thread.join(_POLL_S)


def _produce(items: Iterable[Item], queue: Queue[Item | _End], stopped: Event) -> None:
    iterator = iter(items)
    error: BaseException | None = None
    try:
        for item in iterator:
            if not _put(queue, item, stopped):
                break
    except BaseException as caught:  # handed over to the reading thread
        error = caught
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()
    _put(queue, _End(error), stopped)


def _put(queue: Queue[Item | _End], item: Item | _End, stopped: Event) -> bool:
    while not stopped.is_set():
        try:
            queue.put(item, timeout=_POLL_S)
        except Full:
            continue
        return True
    return False
