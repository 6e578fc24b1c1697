"""What the commands that a LAMMPS log echoes have set when a run begins."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

#: Fixes that move nothing: two runs with one of them in between are one trajectory.
_OUTPUT_FIXES = ("ave/", "print", "vector", "store", "bec", "msst/print", "halt", "balance")
#: Commands after which a trajectory is another one, even if its steps go on.
_NEW_DYNAMICS = (
    *("velocity", "set", "displace_atoms", "delete_atoms", "create_atoms", "change_box", "reset_timestep"),
    *("read_dump", "read_data", "read_restart", "replicate", "pair_style", "pair_coeff", "pair_modify"),
    *("bond_coeff", "angle_coeff", "dihedral_coeff", "improper_coeff", "special_bonds", "create_bonds"),
    *("delete_bonds", "kspace_style", "run_style", "mass", "dielectric"),
)
RUN_COMMANDS = {
    *("run", "rerun", "minimize", "temper", "temper/npt", "temper/grem"),
    *("neb", "neb/spin", "prd", "tad", "hyper"),
}
#: Styles of fixes that drive a system: what it dissipates then is no measure of how it fluctuates.
_DRIVING = (
    *("efield", "addforce", "addtorque", "heat", "ehex", "thermal/conductivity", "viscosity", "nvt/sllod"),
    *("nvt/uef", "npt/uef", "deform", "viscous", "drag", "smd", "gravity", "flow/gauss", "accelerate/cos"),
    *("move", "indent", "ttm", "ttm/grid", "ttm/mod", "propel/self", "append/atoms", "wall/piston", "msst"),
    "qbmsst",
)
#: Group of a fix whose command the log does not show.
_UNSEEN = "?"
_ISOKINETIC = ("nvk", "temp/rescale")
_CONSTRAINING = ("shake", "rattle", "rigid", "lincs")
#: Parts of the names of fixes that change the box: ``rigid/npt/small``, ``deform/pressure`` …
_BOX_CHANGES = {
    *("npt", "nph", "nphug", "tgnpt", "bocs", "msst", "qbmsst", "ipi", "deform", "relax", "press"),
}
#: Monte Carlo moves: atoms change types or places without having moved there.
_EXCHANGING = (
    *("atom/swap", "neighbor/swap", "mol/swap", "sgcmc", "bond/swap", "tfmc", "gcmc", "charge/regulation"),
    *("bond/react", "deposit", "evaporate", "pour"),
)
_ATOMS_CHANGE = ("gcmc", "widom", "deposit", "evaporate", "pour", "mol/swap")


@dataclass(frozen=True)
class RunSettings:
    """Settings in force when a run began, as far as the log shows them.

    Parameters
    ----------
    units, timestep
        Unit style, and time step in its unit.
    normalized
        Whether `thermo_modify norm` divides extensive columns by the number of atoms.
    fixes
        ID → words of the command, of the fixes that were defined.
    command
        The command that made the run: ``run``, ``rerun``, ``minimize``, ``temper`` …
    n_atoms
        Number of atoms.
    dynamics
        Counts the commands that start another trajectory.
    hidden_types
        Whether `fix bec` was given NULL for a type.
    unmoved
        What `fix bec` says of atoms that no fix moves, in this run; an empty text if it says nothing.
    box_volume
        Volume of the box when it was last printed, length³.
    boundary
        Kinds of the sides of the box (`boundary p p f`).
    variables
        Name → formula of the variables of style equal.
    computes
        ID → style of the computes.
    """

    units: str | None = None
    timestep: float | None = None
    normalized: bool = False
    fixes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    command: str = ""
    n_atoms: int | None = None
    dynamics: int = 0
    hidden_types: bool = False
    unmoved: str = ""
    box_volume: float | None = None
    boundary: tuple[str, ...] = ("p", "p", "p")
    variables: Mapping[str, str] = field(default_factory=dict)
    computes: Mapping[str, str] = field(default_factory=dict)

    def after(self, line: str) -> RunSettings:
        """Return the settings after one line of the log, a command or what LAMMPS says about itself."""
        words = line.split()
        head = words[0]
        if head == "fix" and len(words) > 3 and not words[2].endswith(":"):  # "fix bec ID: …" is what it says
            return self._with_fix(words)
        if head == "unfix" and len(words) > 1:
            style = self.style(words[1])
            left = {name: fix for name, fix in self.fixes.items() if name != words[1]}
            return replace(self, fixes=left, dynamics=self.dynamics + (not _is(style, _OUTPUT_FIXES)))
        if head in RUN_COMMANDS:
            volume = None if self.box_changes or head == "rerun" else self.box_volume
            other = head != "run" or self.command not in ("", "run")
            return replace(self, command=head, box_volume=volume, dynamics=self.dynamics + other, unmoved="")
        if head == "units" and len(words) > 1:
            return replace(self, units=words[1])
        if head == "thermo_style":
            return replace(self, normalized=False)
        if head == "thermo_modify" and "norm" in words[:-1]:
            answer = words[words.index("norm") + 1]
            return replace(self, normalized=answer in ("yes", "on", "true"))
        if head == "timestep" and len(words) > 1:
            step_now = _number(words[1], self.timestep)
            other = step_now != self.timestep or bool(self.clock_resets)
            return replace(self, timestep=step_now, dynamics=self.dynamics + other)
        if head == "boundary" or (head == "change_box" and "boundary" in words):
            flags = words[words.index("boundary") + 1 :][:3]
            if len(flags) == 3 and {*"".join(flags)} <= {*"pfsm"}:
                return replace(self, boundary=tuple(flags), dynamics=self.dynamics + (head != "boundary"))
        if head == "variable" and words[2:3] == ["equal"] and len(words) > 3:
            return replace(self, variables={**self.variables, words[1]: " ".join(words[3:]).strip("\"'")})
        if head == "compute" and len(words) > 3:
            return replace(self, computes={**self.computes, words[1]: words[3]})
        if head == "clear":
            return RunSettings(dynamics=self.dynamics + 1, units=self.units)
        if head in _NEW_DYNAMICS:
            return replace(self, dynamics=self.dynamics + 1)
        return self._told(line, words)

    def of_another_process(self) -> RunSettings:
        """Return what a restart would keep, and a new input state anew."""
        return RunSettings(units=self.units, timestep=self.timestep, dynamics=self.dynamics)

    def _with_fix(self, words: list[str]) -> RunSettings:
        fixes = {**self.fixes, words[1]: tuple(words)}
        passive = _is(words[3], _OUTPUT_FIXES) and "efield" not in words
        return replace(self, fixes=fixes, dynamics=self.dynamics + (not passive))

    def _told(self, line: str, words: list[str]) -> RunSettings:
        """Lines that LAMMPS writes by itself; those about a run appear on the screen without its commands."""
        if found := re.match(r"\s+(?:(\d+) atoms$|Unit style +: (\w+)|Time step +: (\S+))", line):
            atoms, units, step = found.groups()
            if step is not None:
                if self.command == "rerun":  # the default of this input, not the step of the run that is read
                    return self
                step_now = _number(step, None)
                same = self.timestep is None or step_now == self.timestep
                return replace(self, timestep=step_now, dynamics=self.dynamics + (not same))
            return replace(self, units=units) if units else replace(self, n_atoms=int(atoms))
        if found := re.match(r"fix bec (\S+): (?:model |(efield \S+ \S+ \S+) V/A$)", line):
            words_seen = self.fixes.get(found[1])  # of the command, where it is echoed
            if words_seen is not None and words_seen[2] != _UNSEEN:
                return self
            told = ("fix", found[1], _UNSEEN, "bec", *(found[2] or "").split())
            return replace(self, fixes={**self.fixes, found[1]: told})
        if found := re.match(r"fix bec \S+: (no fix moves \d+ of \d+ atoms)$", line):
            return replace(self, unmoved=found[1])
        if found := re.match(r"Setting up (\S+) (style minimization|run)", line):
            kind = "minimize" if "minimization" in found[2] else "run"
            if kind == self.command or (kind == "run" and self.command in RUN_COMMANDS - {"minimize"}):
                return replace(self, unmoved="")
            return replace(self, command=kind, dynamics=self.dynamics + 1, unmoved="")
        if found := re.match(r"Deleted \d+ atoms, new total = (\d+)", line):
            return replace(self, n_atoms=int(found[1]))
        if words[0] == "Created" and len(words) > 2 and words[2] == "atoms" and words[1].isdigit():
            return replace(self, n_atoms=(self.n_atoms or 0) + int(words[1]))
        if re.match(r"  atom types .* every \d+ step", line):
            return replace(self, hidden_types="NULL" in line)
        if found := re.search(r"box = \(([^)]*)\) to \(([^)]*)\)", line):
            low, high = ([float(w) for w in text.split()] for text in found.groups())
            edges = [b - a for a, b in zip(low, high, strict=True)]
            return replace(self, box_volume=edges[0] * edges[1] * edges[2])  # tilts do not change it
        return self

    def style(self, identity: str) -> str:
        """Style of a fix; an empty text if the log shows none of this name."""
        words = self.fixes.get(identity)
        return words[3] if words else ""

    def ids(self, styles: tuple[str, ...]) -> list[str]:
        """IDs of the fixes with one of these styles, whatever package they are accelerated by."""
        return [name for name, words in self.fixes.items() if _is(words[3], styles)]

    def ids_behind(self, identity: str, styles: tuple[str, ...]) -> list[str]:
        """IDs of the fixes with one of these styles that were defined after another one."""
        names = list(self.fixes)
        first = names.index(identity) + 1 if identity in names else len(names)
        return [name for name in self.ids(styles) if name in names[first:]]

    @property
    def clock_resets(self) -> list[str]:
        """Fixes that change the time step."""
        return self.ids(("dt/reset",))

    @property
    def isokinetic(self) -> bool:
        """Whether a fix may keep the temperature constant to all digits."""
        return bool(self.ids(_ISOKINETIC))

    @property
    def constrained(self) -> bool:
        """Whether rigid bonds or bodies take degrees of freedom away."""
        return bool(self.ids(_CONSTRAINING))

    @property
    def atoms_change(self) -> bool:
        """Whether atoms may be added or removed during a run."""
        return bool(self.ids(_ATOMS_CHANGE))

    @property
    def box_changes(self) -> bool:
        """Whether the volume may change during a run."""
        by_fixes = (_BOX_CHANGES & set(words[3].split("/")) for words in self.fixes.values())
        wrapped = {*"sm"} & {*"".join(self.boundary)}
        return bool(wrapped) or any(by_fixes)

    @property
    def exchanged(self) -> list[str]:
        """Commands of fixes that move atoms by Monte Carlo, or make bonds."""
        return [" ".join(self.fixes[name][:4]) for name in self.ids(_EXCHANGING)]

    @property
    def driven(self) -> list[str]:
        """What drives the run: commands of fields and of other external work."""
        fields = [words for words in self.fixes.values() if words[3] == "bec" and "efield" in words]
        acting = [words for words in fields if any(_number(w, 1.0) != 0.0 for w in _field(words))]
        return [f"fix {w[1]} bec … efield {' '.join(_field(w))}" for w in acting] + [
            " ".join(self.fixes[name][:4]) for name in self.ids(_DRIVING)
        ]


def _field(words: tuple[str, ...]) -> tuple[str, ...]:
    at = words.index("efield")
    return words[at + 1 : at + 4]


def _is(style: str, names: tuple[str, ...]) -> bool:
    """Whether a style is one of these, or one of a family (``ave/`…``), or its accelerated variant."""
    return any(
        style.startswith(name) if name.endswith("/") else style == name or style.startswith(f"{name}/")
        for name in names
    )


def _number(text: str, otherwise: float | None) -> float | None:
    try:
        return float(text)
    except ValueError:
        return otherwise
