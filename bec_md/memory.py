"""Memory that is free, so that what does not fit is refused in words before it is begun."""

from __future__ import annotations

import re
from pathlib import Path

from bec_md.errors import UsageError

#: The two versions of control groups: own group, root, files of the limit and of what is in use, and the
#: part of it that can be given back.
_CONTROLLERS = (
    (r"^0::(.*)$", Path("/sys/fs/cgroup"), "memory.max", "memory.current", r"^inactive_file (\d+)$"),
    (
        r"^\d+:memory:(.*)$", Path("/sys/fs/cgroup/memory"),
        "memory.limit_in_bytes", "memory.usage_in_bytes", r"^total_inactive_file (\d+)$",
    ),
)  # fmt: skip


def available_bytes() -> int | None:
    """Return how much memory this process may still take; None where the system does not say.

    The least of what the machine has free, what its control group leaves, and the limit on addresses
    (``ulimit -v``).
    """
    known = [_machine(), _control_group(), _addresses()]
    found = [number for number in known if number is not None]
    return max(min(found), 0) if found else None


def require_memory(needed_bytes: float, subject: str, why: str, fix: str) -> None:
    """Refuse work that needs more memory than there is.

    Parameters
    ----------
    needed_bytes
        What it takes at its height.
    subject
        What would be done, as the beginning of a sentence.
    why
        What it is that takes it.
    fix
        What takes less.

    Raises
    ------
    UsageError
        With both numbers.
    """
    there = available_bytes()
    if there is not None and needed_bytes > there:
        raise UsageError(
            f"{subject} needs about {_gigabytes(needed_bytes)} of memory, {_gigabytes(there)} are free",
            why,
            fix,
        )


def _gigabytes(number: float) -> str:
    return f"{number / 1e9:.2g} GB" if number < 1e11 else f"{number / 1e9:.0f} GB"


def _number(path: str | Path, pattern: str) -> int | None:
    """Number that a pattern finds in a file of the system."""
    try:
        found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    except OSError:
        return None
    return None if found is None else int(found[1])


def _machine() -> int | None:
    free = _number("/proc/meminfo", r"^MemAvailable:\s+(\d+) kB")
    return None if free is None else 1024 * free


def _control_group() -> int | None:
    """What the control group of this process leaves: containers and batch systems set one."""
    try:
        groups = Path("/proc/self/cgroup").read_text()
    except OSError:
        return None
    left = []
    for of, root, limit, usage, cache in _CONTROLLERS:
        own = re.search(of, groups, re.MULTILINE)
        folder = root / own[1].lstrip("/") if own else root.parent
        while folder.is_relative_to(root):
            most, used = (_number(folder / name, r"^(\d+)$") for name in (limit, usage))
            if most is not None and used is not None:
                left.append(most - used + (_number(folder / "memory.stat", cache) or 0))
            folder = folder.parent
    return min(left, default=None)


def _addresses() -> int | None:
    """What ``ulimit -v`` leaves."""
    try:
        import resource
    except ImportError:  # not a Unix
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    used = _number("/proc/self/status", r"^VmSize:\s+(\d+) kB")
    if limit == resource.RLIM_INFINITY or used is None:
        return None
    return limit - 1024 * used
