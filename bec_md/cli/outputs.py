"""Which files a spectrum is written to, and the writing."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from bec_md.cli.failures import not_written
from bec_md.errors import UsageError
from bec_md.files import expanded, resolved

if TYPE_CHECKING:
    from bec_md.cli.console import Console
    from bec_md.current.series import CurrentSeries
    from bec_md.spectrum import Spectrum

FIGURE_SUFFIXES = (".png", ".pdf", ".svg")
HDF5_SUFFIXES, XYZ_SUFFIXES = (".h5", ".hdf5"), (".xyz", ".extxyz", ".gz", ".bz2", ".xz")
#: Suffixes of files in which one format is written; other formats must not go by them.
_SUFFIXES = {"--csv": (".csv",), "--json": (".json",), "--report": (".html", ".htm")}
_OF_A_FORMAT = {
    *(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes),
    *(*FIGURE_SUFFIXES, *HDF5_SUFFIXES, *XYZ_SUFFIXES, ".npz", ".cif", ".traj", ".zip", ".xlsx"),
    *(".md", ".rst", ".tex", ".docx", ".odt", ".rtf", ".ipynb", ".tsv", ".xls", ".ods", ".parquet"),
}
STDOUT = "-"


@dataclass(frozen=True)
class OutputOptions:
    """What the user asked to be written."""

    output: Path | None = None
    csv: Path | None = None
    plot: Path | None = None
    report: Path | None = None
    json: str | None = None
    current: Path | None = None
    overwrite: bool = False
    tensor: bool = False
    strict: bool = False
    quiet: bool = False
    verbose: bool = False

    @property
    def any_given(self) -> bool:
        """Whether any output was named."""
        return any(value is not None for value in (self.output, self.csv, self.plot, self.report, self.json))

    @property
    def folder(self) -> Path:
        """Folder of the outputs: that of the first named file, else the current one."""
        named = [path for path in (self.output, self.csv, self.plot, self.report) if path is not None]
        return expanded(named[0]).parent if named else Path()

    def with_defaults(self, stem: str) -> OutputOptions:
        """Return the files to write: those named, else figure, table and data beside each other."""
        if self.any_given:
            return self
        from dataclasses import replace

        return replace(
            self,
            output=Path(f"{stem}_spectrum.h5"),
            csv=Path(f"{stem}_spectrum.csv"),
            plot=Path(f"{stem}_spectrum.png"),
        )

    def check(self, current_flag: str = "--current") -> None:
        """Refuse, before any work, files that could not be written after it.

        Parameters
        ----------
        current_flag
            Flag that names the file of the current: it is continued, and no input.

        Raises
        ------
        UsageError
            For a missing folder, a figure format that is not known, or two outputs of one name.
        """
        hdf5 = dict.fromkeys(("--output", current_flag), HDF5_SUFFIXES)
        guard({**self.results(), current_flag: self.current}, figures=("--plot",), suffixes=hdf5)

    def results(self) -> dict[str, Path | None]:
        """Return the files that are written at the end, by their flags."""
        json = None if self.json is None or self.json == STDOUT else Path(self.json)
        files = {"--output": self.output, "--csv": self.csv, "--plot": self.plot, "--report": self.report}
        return {**files, "--json": json}

    def check_current(self, path: Path) -> None:
        """Refuse results under the name of the file that keeps a current.

        Raises
        ------
        UsageError
            With the flag of the result.
        """
        for flag, file in self.results().items():
            if file is not None and resolved(file) == resolved(path):
                raise UsageError(
                    f"{flag} {file} is the file that keeps the current",
                    "it would be overwritten, and the next analysis would compute it anew",
                    "choose another name",
                )


def guard(
    outputs: Mapping[str, Path | str | None],
    figures: Collection[str] = (),
    suffixes: Mapping[str, Collection[str]] | None = None,
) -> None:
    """Refuse, before any work, outputs that could not be written after it or would replace an input.

    Every existing file that the command line names elsewhere is an input, whatever the option: the same file
    under another name, by a symbolic or a hard link, is one as well.

    Parameters
    ----------
    outputs
        File by the flag that names it (or would); None is none, nor is ``-`` of ``--json``: standard output.
    figures
        Flags of figures, whose format follows from the suffix.
    suffixes
        By flag: suffixes of the format that is written, where another command writes another one.

    Raises
    ------
    UsageError
        With both names.
    """
    given = {
        flag: Path(path)
        for flag, path in outputs.items()
        if path is not None and (flag, str(path)) != ("--json", STDOUT)
    }
    inputs = _inputs(given)
    own = {**_SUFFIXES, **(suffixes or {})}
    seen: dict[Path, str] = {}
    for flag, path in given.items():
        check_writable(flag, path)
        if flag in figures:
            _check_figure(flag, path)
        other = seen.setdefault(resolved(path), flag)
        if other != flag:
            raise UsageError(
                f"{other} and {flag} name the same file {path}",
                "one would overwrite the other",
                "give them different names",
            )
        for item in inputs:
            if expanded(path).exists() and expanded(path).samefile(item):
                raise UsageError(
                    f"{flag} {path} is the input {item}",
                    "it would be overwritten",
                    "choose another name",
                )
        if flag in own and path.suffix.lower() in _OF_A_FORMAT.difference(own[flag]):
            raise UsageError(
                f"{flag} {path} with the suffix {path.suffix}",
                "it would hold another format than its name says",
                f"give it the suffix {next(iter(own[flag]))}",
            )


def _inputs(outputs: Mapping[str, Path]) -> list[Path]:
    """Return the existing files that the command line names but by the flags of outputs."""
    context = _command_context()
    found: list[Path] = []
    for parameter in [] if context is None else context.command.params:
        if set(parameter.opts) & {*outputs, *(("-o",) if "--output" in outputs else ())}:
            continue
        value = context.params.get(parameter.name or "") if context is not None else None
        for item in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(item, (str, Path)):
                words = [str(item), *str(item).partition(":")[2].split(","), *str(item).split(",")]
                found += [expanded(word) for word in words if word]
    return [path for path in found if path.is_file()]


def _command_context() -> Any:
    """Context of the running command, from the click that typer uses: its own copy or the package."""
    import typer

    package = typer.Context.__mro__[1].__module__.rpartition(".")[0]
    return import_module(f"{package}.globals").get_current_context(silent=True)


def _check_figure(option: str, path: Path) -> None:
    """Refuse a figure of an unknown format."""
    if path.suffix.lower() not in FIGURE_SUFFIXES:
        raise UsageError(
            f"{option} {path}: no figure format {path.suffix!r}",
            "the format follows from the suffix",
            f"use one of {', '.join(FIGURE_SUFFIXES)}",
        )


def check_writable(option: str, path: Path) -> None:
    """Refuse a path that cannot be written, naming the option it comes from."""
    import os

    path = expanded(path)
    folder = (resolved(path) if path.is_symlink() else path).parent
    if str(path) == STDOUT:
        raise UsageError(
            f"{option} {path} names no file", "only --json writes to standard output", "name a file"
        )
    if path.is_dir():
        raise UsageError(
            f"{option} {path} is a folder", "a file is written", f"give a name like {path}/result"
        )
    if not folder.is_dir():
        raise UsageError(
            f"{option} {path}: there is no folder {folder}",
            "results are written into it",
            f"mkdir -p {quote(str(folder))}, or choose another name",
        )
    if path.exists() and not path.is_file():
        raise UsageError(f"{option} {path} is no regular file", "a file is written", "choose another name")
    if path.exists() and not os.access(path, os.W_OK):
        raise UsageError(
            f"{option} {path} is write-protected",
            "somebody wants to keep it as it is",
            f"chmod u+w {quote(str(path))}, or choose another name",
        )
    if not os.access(folder, os.W_OK):
        raise UsageError(
            f"{option} {path}: the folder {folder.resolve()} cannot be written",
            "its permissions forbid it",
            "choose another place for the outputs, e.g. with -o ~/name.h5",
        )


def write_outputs(
    spectrum: Spectrum,
    series: Sequence[CurrentSeries],
    options: OutputOptions,
    warn: Callable[[str], None],
    model_card: dict[str, Any] | None = None,
) -> list[tuple[str, Path]]:
    """Write every file that was asked for; one that fails does not keep the others from being written.

    Returns
    -------
    list
        (what it is, path) of the files written.

    Raises
    ------
    Exception
        The first failure, after everything else is written.
    """
    from bec_md.spectrum import write_csv, write_hdf5

    def figure(path: Path) -> None:
        """Draw and write the figure."""
        from bec_md.plot import figure_of_spectrum, save_figure

        save_figure(figure_of_spectrum(spectrum), path)

    def report(path: Path) -> None:
        """Write the report."""
        from bec_md.report import write_report

        write_report(path, spectrum, series[0] if len(series) == 1 else None, model_card)

    tasks: list[tuple[str, Path | None, Callable[[Path], Any]]] = [
        ("data", options.output, lambda path: write_hdf5(spectrum, path)),
        ("table", options.csv, lambda path: write_csv(spectrum, path, tensor=options.tensor)),
        ("numbers", _json_path(options.json), lambda path: write_text(path, json_text(spectrum))),
        ("figure", options.plot, figure),
        ("report", options.report, report),
    ]
    written, failures = [], []
    for what, path, write in tasks:
        if path is None:
            continue
        try:
            write(path)
            written.append((what, path))
        except Exception as error:  # the others are still written
            failures.append(not_written(path, error) if isinstance(error, OSError) else error)
            warn(f"{what} {path} was not written: {getattr(error, 'strerror', None) or error}")
    if options.json == STDOUT:
        from bec_md.spectrum import summary

        emit_json(STDOUT, summary(spectrum))
    if failures:
        raise failures[0]
    return written


def show_files(console: Console, written: Sequence[tuple[str, Path]]) -> None:
    """Print what was written, with a verbose console one file a line."""
    if console.verbose:
        for what, path in written:
            console.item(what, str(path))
    elif written:
        console.item("written", ", ".join(str(path) for _, path in written))


def _json_path(text: str | None) -> Path | None:
    return None if text is None or text == STDOUT else Path(text)


def json_text(spectrum: Spectrum) -> str:
    """Return the JSON summary of a spectrum."""
    from bec_md.spectrum import summary

    return to_json(summary(spectrum))


def to_json(values: dict[str, Any], encoding: str | None = "utf-8") -> str:
    """Return readable JSON: null for what is not finite, escapes for letters that an encoding may lack."""
    from bec_md.spectrum.output import plain

    ascii_only = not (encoding or "utf-8").lower().startswith("utf")
    return json.dumps(plain(values), indent=2, ensure_ascii=ascii_only)


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    from bec_md import atomic

    atomic.write_text(path, text + "\n")


def emit_json(target: str, values: dict[str, Any]) -> None:
    """Write JSON to a file, or to stdout for ``-``."""
    if target == STDOUT:
        print(to_json(values, sys.stdout.encoding), flush=True)
    else:
        write_text(Path(target), to_json(values))
