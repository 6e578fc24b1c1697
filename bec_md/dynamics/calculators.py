"""The potential of a dynamics: a name, a factory in any module, or a LAMMPS input."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bec_md.errors import UsageError
from bec_md.files import read_text, require_file


@dataclass(frozen=True)
class Potential:
    """A potential that is known by name.

    Parameters
    ----------
    factory
        ``module:name`` of what makes the calculator.
    package
        What pip installs.
    remark
        What it is known to get wrong.
    arguments
        Keywords of the factory.
    """

    factory: str
    package: str
    remark: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


_SOFT = (
    "it is soft: in the examples of bec-md stretching modes come out 7 to 13 % too low, and the cell at zero "
    "pressure 1 % too large, which lowers modes further"
)
#: Universal networks whose weights are part of their PyPI package: nothing is downloaded.
SHORTCUTS: Mapping[str, Potential] = {
    "chgnet": Potential(
        "chgnet.model.dynamics:CHGNetCalculator",
        "chgnet",
        f"CHGNet (PBE+U): {_SOFT}",
        {"use_device": "cpu", "on_isolated_atoms": "ignore"},
    ),
    "7net-0": Potential(
        "sevenn.calculator:SevenNetCalculator",
        "sevenn==0.13.0",
        f"SevenNet-0 (PBE+U): {_SOFT}",
        {"model": "7net-0", "device": "cpu"},
    ),
}
#: First words of LAMMPS commands that belong before the box.
_HEADER = ("units", "atom_style", "newton", "package", "suffix", "atom_modify", "processors")


@dataclass
class NamedCalculator:
    """A potential by name: makes its calculator once in every process that asks for it.

    Parameters
    ----------
    spec, elements
        Of `make_calculator`.
    """

    spec: str
    elements: tuple[str, ...] | None = None
    _made: Any = field(default=None, init=False, repr=False, compare=False)

    def __call__(self) -> Any:
        """Return the calculator."""
        if self._made is None:
            self._made = make_calculator(self.spec, self.elements)
        return self._made

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_made": None}

    def __str__(self) -> str:
        return self.spec


def make_calculator(spec: str, elements: Sequence[str] | None = None) -> Any:
    """Return the ASE calculator that a text names.

    Parameters
    ----------
    spec
        ``NAME`` (see `SHORTCUTS`), ``module:factory`` (called without arguments), or ``lammps:INPUT``: a file
        of LAMMPS commands that define the potential (``units``, ``pair_style``, ``pair_coeff``, ``set type …
        charge``, ``kspace_style`` …), without box, atoms and run.
    elements
        Chemical symbols of the LAMMPS types 1, 2, ….

    Returns
    -------
    ase.calculators.calculator.Calculator
        Energies in eV, forces in eV/Å.

    Raises
    ------
    UsageError
        If nothing of this name exists or is installed, or `elements` is missing.
    """
    kind, separator, rest = spec.partition(":")
    if kind == "lammps" and rest:
        return _lammps(Path(rest), elements)
    if separator and rest:
        return _made(spec, {}, kind.partition(".")[0])
    known = SHORTCUTS.get(spec)
    if known is None:
        raise UsageError(
            f"calculator {spec!r} is not known",
            "a potential has to be named",
            f"use {', '.join(SHORTCUTS)}, module:factory or lammps:INPUT",
        )
    return _made(known.factory, known.arguments, known.package)


def require_forces(atoms: Any, calculator: Any, *, stress: bool = False) -> None:
    """Evaluate the potential once, before hours are spent on it; its stress too if that is needed.

    Raises
    ------
    UsageError
        With what the potential says, if it does not know the structure.
    """
    known = getattr(calculator, "types", None)
    missing = sorted(set(atoms.symbols) - set(known)) if known is not None else []
    if known is not None and missing:
        raise UsageError(
            f"{', '.join(missing)} is no element of the LAMMPS types ({', '.join(known)})",
            "every atom has a type in LAMMPS",
            "give all of them: `elements=Mg,O`",
        )
    try:
        calculator.get_forces(atoms)
    except Exception as error:  # a potential raises whatever its library does
        raise UsageError(
            f"the potential {type(calculator).__name__} gives no forces for {atoms.symbols}: "
            f"{' '.join(str(error).split())[:200] or type(error).__name__}",
            "it does not know these elements, or its input is wrong",
            "take another potential, or correct its input",
        ) from error
    try:
        if stress:
            calculator.get_stress(atoms)
    except Exception as error:
        raise UsageError(
            f"the potential {type(calculator).__name__} gives no stress",
            "the cell at zero pressure follows from it",
            "leave `relax_cell` out, or take another potential",
        ) from error


def _made(factory: str, arguments: Mapping[str, Any], package: str) -> Any:
    name, _, attribute = factory.partition(":")
    try:
        make = getattr(importlib.import_module(name), attribute)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"calculator {factory} needs {error.name}, which is not installed",
            "the potential is part of another package",
            f"pip install {package}; a module of your own has to be on PYTHONPATH",
        ) from None
    except AttributeError:
        raise UsageError(
            f"module {name} has no {attribute}",
            "module:factory names a function or class that returns an ASE calculator",
            "correct the name",
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # advice of libraries to their own users
            calculator = make(**arguments)
    except Exception as error:  # whatever a library raises
        raise UsageError(
            f"{factory}() fails: {type(error).__name__}: {' '.join(str(error).split())[:200]}",
            "module:factory is called without arguments and returns an ASE calculator",
            "name one that can be, or write a function that makes the calculator",
        ) from error
    if not hasattr(calculator, "get_forces"):
        raise UsageError(
            f"{factory} gives a {type(calculator).__name__}, which has no get_forces",
            "the dynamics needs an ASE calculator",
            "name a function or class that returns one",
        )
    return calculator


def _lammps(path: Path, elements: Sequence[str] | None) -> Any:
    """LAMMPS as a library, driven by ASE's own interface."""
    require_file(path)
    if not elements:
        raise UsageError(
            f"lammps:{path.name} without elements",
            "LAMMPS types are numbers",
            "give `elements=Mg,O`, in the order of the types 1, 2, …",
        )
    from bec_md.dynamics.lammps_calculator import LammpsCalculator

    joined = re.sub(r"&[ \t]*\r?\n", " ", read_text(path))  # a command goes on behind &
    lines = [line.split("#")[0].strip() for line in joined.splitlines()]
    commands = [line for line in lines if line]
    header = [line for line in commands if line.split()[0] in _HEADER]
    stated = {line.split()[0] for line in header}
    defaults = {"units": "units metal", "atom_style": "atom_style charge"}
    header = [text for word, text in defaults.items() if word not in stated] + header
    return LammpsCalculator(
        commands=[line for line in commands if line.split()[0] not in _HEADER],
        header=[*header, "atom_modify map array sort 0 0"],
        types=elements,
    )
