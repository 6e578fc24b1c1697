"""Settings of the whole test suite."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator

import pytest

# One thread: the tensors of the tests are tiny, and idle OpenMP threads would spin on shared machines.
os.environ.setdefault("OMP_NUM_THREADS", "1")

#: With REFUSE_SKIPS in the environment (as in .ci/run) nothing may be left out for want of a compiler or a
#: package; a machine may lack a GPU.
ALLOWED_SKIPS = ("no CUDA device",)


def pytest_configure(config: pytest.Config) -> None:
    """Let pytest-xdist take files in the order of their tests, not those of most tests first."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of few tests first: examples, notebooks and builds are long, and no worker shall end on them."""
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: tests[item.path])


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Let a skipped test or module fail, with the reason for which it was skipped."""
    if os.environ.get("REFUSE_SKIPS") and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(allowed in reason for allowed in ALLOWED_SKIPS):
            report.outcome = "failed"
            report.longrepr = f"{reason}: here every test has to run"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    refuse_skip(report)
    return report
