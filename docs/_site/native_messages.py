"""Sentences of the C++ sources, the plugin of LAMMPS and the native evaluator, found there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Sources that look at what the user gives.
PLUGIN = ("lammps_plugin/src",)
NATIVE = (
    "bec_md/native/model.cpp", "bec_md/native/tensor_file.cpp", "bec_md/native/neighbors.cpp",
    "bec_md/native/frames.cpp", "bec_md/native/outputs.cpp", "bec_md/native/heads.cpp",
)  # fmt: skip
#: Calls whose last argument but those of a format is a sentence.
_SPEAKING = (
    "error->all",
    "error->one",
    "error->warning",
    "std::runtime_error",
    "ArgumentError",
    "utils::logmesg",
)
_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|//[^\n]*|[(),{}\[\]]|\'(?:[^\'\\]|\\.)\'|[^"(),{}\[\]\'/]+|/')


def sentences(parts: tuple[str, ...] = PLUGIN) -> list[str]:
    """Return what the plugin may say; changing parts stand as …."""
    found = [text for source in _sources(parts) for name in _SPEAKING for text in _spoken(source, name)]
    return sorted({text for text in found if len(re.findall(r"[A-Za-z]{2,}", text)) >= 4})


def errors(parts: tuple[str, ...] = NATIVE) -> list[tuple[str, str, str]]:
    """Return what, why and remedy of the errors of the native evaluator."""
    calls = (call for source in _sources(parts) for call in _calls(source, "Error"))
    return sorted({(_text(call[0]), _text(call[1]), _text(call[2])) for call in calls if len(call) == 3})


def _sources(parts: tuple[str, ...]) -> Iterator[str]:
    for part in parts:
        path = ROOT / part
        for file in sorted(path.glob("*.cpp")) if path.is_dir() else [path]:
            yield file.read_text(encoding="utf-8")


def _spoken(source: str, name: str) -> Iterator[str]:
    for call in _calls(source, name):
        told = [argument for argument in call if any(token.startswith('"') for token in argument)]
        if told:
            yield _text(told[0])


def _calls(source: str, name: str) -> Iterator[list[list[str]]]:
    """Arguments of every call of a function, as tokens."""
    for found in re.finditer(rf"(?<![\w:>]){re.escape(name)}\(", source):
        arguments: list[list[str]] = [[]]
        depth = 0
        for match in _TOKEN.finditer(source, found.end()):
            token = match[0]
            if token.startswith("//"):
                continue
            depth += token in ("(", "{", "[")
            if token in (")", "}", "]"):
                depth -= 1
                if depth < 0:
                    break
            if token == "," and depth == 0:
                arguments.append([])
            else:
                arguments[-1].append(token)
        yield arguments


def _text(tokens: list[str]) -> str:
    """Text of an expression: its strings, with … for numbers and names between them."""
    joined = "".join(tokens).strip()
    if joined.startswith("fmt::format("):
        inner = next(_calls(joined, "fmt::format"))
        return _text(inner[0])
    pieces: list[str] = []
    depth = 0
    for token in tokens:
        depth += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
        if token.startswith('"'):
            if depth > 0 and not _wraps_text(tokens):
                continue
            pieces.append(token[1:-1].replace('\\"', '"').replace("\\n", " "))
        elif token.strip() == ":":
            pieces.append(" / ")  # of a choice
        elif token.rstrip().endswith("?"):
            continue  # its condition
        elif re.search(r"\w", token) and token.strip() not in ("std::string", "+ std::string"):
            pieces.append("…")
    text = re.sub(r"\{[^}]*\}", "…", "".join(pieces)).replace("… / ", " / ")
    return " ".join(re.sub(r"…[… ]*…", "…", text).split())


def _wraps_text(tokens: list[str]) -> bool:
    """Whether brackets stand around texts themselves: std::string("…")."""
    return "std::string" in "".join(tokens)
