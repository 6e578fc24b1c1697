"""The reference of the Python interface is complete: parameters, results and errors of every public name."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))

from _site import api

docscrape = pytest.importorskip("numpydoc.docscrape", reason="pip install -e '.[docs]'")

#: Described otherwise: interfaces without a constructor, fields with docstrings, the table of a current.
OTHERWISE = {"ChargeSource", "Trajectory", "TrainingConfig", "CurrentSeries"}


def public() -> Iterator[tuple[str, Any]]:
    """Yield every public function and class by its name, and the public functions of the classes."""
    for room in api.public_rooms():
        module = importlib.import_module(room)
        for name in module.__all__:
            value = getattr(module, name)
            if not callable(value) or (inspect.isclass(value) and issubclass(value, Exception)):
                continue
            yield f"{room}.{name}", value
            for part, item in vars(value).items() if inspect.isclass(value) else ():
                item = item.__func__ if isinstance(item, classmethod | staticmethod) else item
                if inspect.isfunction(item) and not part.startswith("_"):
                    yield f"{room}.{name}.{part}", item


NAMES = dict(public())


@pytest.mark.parametrize("name", NAMES)
def test_what_a_public_name_takes_gives_and_refuses_is_described(name: str) -> None:
    value, text = NAMES[name], inspect.getdoc(NAMES[name]) or ""
    assert text, "no docstring"
    described = docscrape.NumpyDocString(text)
    entries = [*described["Parameters"], *described["Attributes"]]
    listed = {word.strip().lstrip("*") for entry in entries for word in entry.name.split(",")}
    parameters = {p for p in inspect.signature(value).parameters if p not in ("self", "cls")}
    if value.__name__ not in OTHERWISE:
        # a short function may tell its one or two parameters in its sentence; more need a list
        told = listed if listed or len(parameters) > 3 or inspect.isclass(value) else parameters
        assert parameters <= told, f"not described: {sorted(parameters - told)}"
    if not inspect.isclass(value):
        gives = inspect.signature(value).return_annotation not in (None, "None")
        assert not (gives and described["Parameters"]) or described["Returns"] or described["Yields"]
        refused = {entry.type or entry.name for entry in described["Raises"]}
        assert own_errors(value) <= set(re.findall(r"\w+", " ".join(refused)))


def own_errors(function: Any) -> set[str]:
    """Return the names of the errors that a function raises itself, for its user."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    raised = (node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise))
    called = {
        call.func.id for call in raised if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    }
    return called & {"UsageError", "DataError", "BecError"}
