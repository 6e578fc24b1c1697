"""Signals wait for the end of what must not be disturbed, and are not lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from bec_md.interruption import checkpoint, held, interrupt, undisturbed


@pytest.fixture(autouse=True)
def taken() -> Iterator[None]:
    """Ctrl-C as a terminal has it: in the background of a shell it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def strike(done: list[str], *, safe_place: bool = False) -> None:
    """Take Ctrl-C amid a block that must not be disturbed."""
    with undisturbed():
        signal.raise_signal(signal.SIGINT)
        done.append("amid it")
        if safe_place:
            checkpoint()
            done.append("behind the safe place")
    done.append("behind it")


def test_ctrl_c_waits_for_the_end_of_the_block() -> None:
    before, done = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt):
        strike(done)
    assert done == ["amid it"]
    assert signal.getsignal(signal.SIGINT) is before


def test_or_for_a_safe_place_in_it() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        strike(done, safe_place=True)
    assert done == ["amid it"]


def test_within_a_longer_block_it_waits_for_that() -> None:
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt), held():
        strike(done)
    assert done == ["amid it", "behind it"]


def failing() -> None:
    interrupt(SystemExit())
    raise ValueError


def test_a_signal_outlives_an_error_in_the_block() -> None:
    with pytest.raises(SystemExit), held():
        failing()
    checkpoint()  # nothing waits any more


def test_other_threads_and_an_ignored_ctrl_c_are_left_alone() -> None:
    seen = []

    def elsewhere() -> None:
        with undisturbed():
            seen.append(signal.getsignal(signal.SIGINT))

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [before]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with undisturbed():
            assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
