"""Work shared among processes: the same as here, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from bec_md.errors import BecMDWarning, DataError, UsageError
from bec_md.processes import Team, cores


def squares(offset: int) -> Callable[[int, Callable[[Any], None]], tuple[int, int, int]]:
    """Work that tells, warns and fails when it is asked to; importable, as workers need it."""

    def work(item: int, tell: Callable[[Any], None]) -> tuple[int, int, int]:
        if item == 13:
            raise DataError("item 13", "it brings bad luck", "leave it out")
        if item == 14:
            raise KeyError("fourteen")
        if item == 15:
            os.kill(os.getpid(), signal.SIGKILL)
        if item == 16:
            time.sleep(60.0)
        if item == 17:
            warnings.warn(BecMDWarning("a prime"), stacklevel=2)
        tell(item)
        return item**2 + offset, os.getpid(), cores()

    return work


@pytest.mark.parametrize("workers", [1, 2])
def test_every_item_is_done_once(workers: int) -> None:
    told: list[tuple[int, int]] = []
    with Team(partial(squares, 1), workers) as team:
        for _ in range(2):  # the same workers again
            found = dict(team.work_on([3, 4, 5], lambda number, item: told.append((number, item))))
            assert [found[number][0] for number in range(3)] == [10, 17, 26]
        processes = {result[1] for result in found.values()}
    assert sorted(told) == sorted(2 * [(0, 3), (1, 4), (2, 5)])
    assert (os.getpid() in processes) == (workers == 1)
    assert workers == 1 or all(result[2] == max(1, cores() // workers) for result in found.values())


def test_what_an_item_fails_with_is_raised_here_and_the_others_end() -> None:
    with pytest.raises(DataError, match="item 13"), Team(partial(squares, 0), 2) as team:
        list(team.work_on([16, 13]))
    assert team._members == []
    with pytest.raises(RuntimeError, match="KeyError: 'fourteen'"), Team(partial(squares, 0), 2) as team:
        list(team.work_on([1, 14]))


def test_a_worker_that_is_killed_is_missed() -> None:
    with pytest.raises(DataError, match=r"ended before its work was done \(exit code -9\)"):  # noqa: SIM117
        with Team(partial(squares, 0), 2) as team:
            list(team.work_on([1, 15]))


def test_warnings_of_workers_arrive() -> None:
    with Team(partial(squares, 0), 2) as team, pytest.warns(BecMDWarning, match="a prime"):
        assert len(list(team.work_on([1, 17]))) == 2


def test_work_that_cannot_be_sent_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be sent"), Team(lambda: squares(0), 2) as team:
        list(team.work_on([1, 2]))
