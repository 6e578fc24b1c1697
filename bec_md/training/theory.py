"""Names of levels of theory: one name for one functional, whatever code printed it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

#: VASP's GGA tag, or LEXCH of a POTCAR.
_VASP_GGA = {
    "PE": "PBE", "PS": "PBEsol", "RP": "RPBE", "RE": "revPBE", "91": "PW91", "CA": "LDA", "PZ": "LDA",
    "AM": "AM05", "B3": "B3LYP", "B5": "B3LYP5", "BF": "BEEF", "OR": "optPBE", "BO": "optB88",
    "MK": "optB86b", "ML": "PW86R", "CX": "PBE-cx",
}  # fmt: skip
#: Names that differ from the tag in more than their case.
_VASP_META = {
    "R2SCAN": "r2SCAN",
    "RSCAN": "rSCAN",
    "RTPSS": "revTPSS",
    "R2SCANL": "r2SCAN-L",
    "SCANL": "SCAN-L",
}
#: Functionals by their numbers in libxc, which VASP (LIBXC1, LIBXC2), Quantum ESPRESSO (``XC-…``) and ABINIT
#: (negative ``ixc``) share; names of libxc are turned into numbers by `_LIBXC_NAMES`.
_LIBXC = {
    (1, 12): "LDA", (1, 9): "LDA", (1, 7): "LDA", (1, 13): "LDA", (20,): "LDA", (101, 130): "PBE",
    (116, 133): "PBEsol", (102, 130): "revPBE", (117, 130): "RPBE", (109, 134): "PW91", (120, 135): "AM05",
    (106, 131): "BLYP", (106, 132): "BP86", (118, 130): "PBE-WC", (202, 231): "TPSS", (263, 267): "SCAN",
    (493, 494): "rSCAN", (497, 498): "r2SCAN", (402,): "B3LYP", (406,): "PBE0", (427,): "HSE03",
    (428,): "HSE06",
}  # fmt: skip
_LIBXC_NAMES = {
    "LDA_X": 1, "LDA_C_PZ": 9, "LDA_C_VWN": 7, "LDA_C_PW": 12, "LDA_C_PW_MOD": 13, "GGA_X_PBE": 101,
    "GGA_C_PBE": 130, "GGA_X_PBE_SOL": 116, "GGA_C_PBE_SOL": 133, "GGA_X_PBE_R": 102, "GGA_X_RPBE": 117,
    "GGA_X_B88": 106, "GGA_C_LYP": 131, "GGA_C_P86": 132, "MGGA_X_TPSS": 202, "MGGA_C_TPSS": 231,
    "MGGA_X_SCAN": 263, "MGGA_C_SCAN": 267, "MGGA_X_RSCAN": 493, "MGGA_C_RSCAN": 494,
    "MGGA_X_R2SCAN": 497, "MGGA_C_R2SCAN": 498,
}  # fmt: skip
_NONE = {"", "--", "NONE", "F", "T", ".FALSE.", ".TRUE."}

#: Short names of Quantum ESPRESSO by their four parts (exchange, correlation, and their gradients).
_QE_PARTS = {
    "SLA PW PBE PBE": "PBE", "SLA PW PBX PBC": "PBE", "SLA PW PSX PSC": "PBEsol", "SLA PZ NOGX NOGC": "LDA",
    "SLA PZ": "LDA", "SLA PW NOGX NOGC": "LDA", "SLA PW": "LDA", "SLA PW REVX PBC": "revPBE",
    "SLA PW REV PBC": "revPBE", "SLA PW RPB PBC": "RPBE", "SLA PW GGX GGC": "PW91",
    "SLA LYP B88 BLYP": "BLYP", "B88 LYP BLYP": "BLYP", "SLA PW B88 P86": "BP86",
    "SLA PW REVX VDW1": "vdW-DF", "SLA PW REVX NOGC VDW1": "vdW-DF", "SLA PW RW86 VDW2": "vdW-DF2",
    "SLA PW RW86 NOGC VDW2": "vdW-DF2", "SLA PW CX0 VDW1": "vdW-DF-cx", "SLA PW CX13 VDW1": "vdW-DF-cx",
    "SLA PW B86R VDW2": "vdW-DF2-B86R", "SLA PW RW86 PBC VV10": "rVV10",
}  # fmt: skip
_QE_NAMES = {
    "PBE": "PBE", "PBESOL": "PBEsol", "LDA": "LDA", "PZ": "LDA", "PW": "LDA", "REVPBE": "revPBE",
    "RPBE": "RPBE", "PW91": "PW91", "BLYP": "BLYP", "BP": "BP86", "BP86": "BP86", "SCAN": "SCAN",
    "RSCAN": "rSCAN", "R2SCAN": "r2SCAN", "TPSS": "TPSS", "HSE": "HSE06", "PBE0": "PBE0", "B3LYP": "B3LYP",
    "VDW DF": "vdW-DF", "VDW DF2": "vdW-DF2", "VDW DF CX": "vdW-DF-cx", "VDW DF2 B86R": "vdW-DF2-B86R",
    "VDW DF C09": "vdW-DF-C09", "VDW DF2 C09": "vdW-DF2-C09", "VDW DF OBK8": "vdW-DF-optB88",
    "VDW DF OB86": "vdW-DF-optB86b", "RVV10": "rVV10", "B86BPBE": "B86bPBE", "GAUP": "Gau-PBE",
    "GAUPBE": "Gau-PBE", "OPTBK88": "optB88", "OPTB86B": "optB86b", "PBEQ2D": "PBEq2D", "WC": "PBE-WC",
}  # fmt: skip


@dataclass(frozen=True)
class VaspTags:
    """What decides the functional of a VASP run; tags as text, empty where they are not set.

    Parameters
    ----------
    gga, lexch
        GGA, and LEXCH of the POTCAR, which holds when GGA is not set.
    metagga, libxc
        METAGGA, and the numbers of LIBXC1 and LIBXC2.
    hybrid
        LHFCALC.
    screening, exact
        HFSCREEN in 1/Å and AEXX of a hybrid.
    hubbard
        LDAU.
    nonlocal_vdw
        LUSE_VDW.
    model_screening
        LMODELHF: exact exchange of the share AEXX at short range grows to all of it at long range, or the
        other way round.
    """

    gga: str = ""
    lexch: str = ""
    metagga: str = ""
    libxc: tuple[str, ...] = ()
    hybrid: bool = False
    screening: float = 0.0
    exact: float = 0.25
    hubbard: bool = False
    nonlocal_vdw: bool = False
    model_screening: bool = False

    @property
    def name(self) -> str | None:
        """Name of the functional, None if the tags do not tell."""
        base = self._semilocal()
        if base is None:
            return None
        if self.nonlocal_vdw:
            base += "-vdW"
        if self.hybrid:
            base = self._hybrid(base)
        return base + ("+U" if self.hubbard else "")

    def _semilocal(self) -> str | None:
        meta = self.metagga.strip().upper()
        if meta == "LIBXC" or (meta in _NONE and self.gga.strip().upper() == "LI"):
            return libxc_functional(self.libxc) if self.libxc else None
        if meta not in _NONE:
            return _VASP_META.get(meta, self.metagga.strip())
        gga = self.gga.strip().upper()
        tag = self.lexch.strip().upper() if gga in _NONE else gga
        return _VASP_GGA.get(tag, tag or None)

    def _hybrid(self, base: str) -> str:
        if self.model_screening:
            return f"{base} model hybrid AEXX={self.exact:g} HFSCREEN={self.screening:g}"
        if self.exact == 1.0 and self.screening == 0.0:
            return "HF"
        known = {
            ("PBE", 0.2): "HSE06",
            ("PBE", 0.3): "HSE03",
            ("PBE", 0.0): "PBE0",
            ("PBEsol", 0.2): "HSEsol",
        }
        if self.exact == 0.25 and (base, round(self.screening, 2)) in known:
            return known[base, round(self.screening, 2)]
        if base.startswith("B3LYP") and self.exact == 0.2 and self.screening == 0.0:
            return base
        screened = f" HFSCREEN={self.screening:g}" if self.screening else ""
        return f"{base} hybrid AEXX={self.exact:g}{screened}"


def qe_functional(text: str) -> str | None:
    """Return the name of the functional that an output of Quantum ESPRESSO prints, None without one."""
    found = re.search(r"Exchange-correlation\s*=\s*([A-Za-z0-9 +\-]+)", text)
    if found is None:
        return None
    words = re.split(r"[\s+\-]+", found[1].strip().upper())
    printed = " ".join(words)
    if words[0] == "XC":  # XC-000I-000I-116L-133L-000I-000I
        printed = libxc_functional([word[:-1] for word in words[1:] if word.endswith("L") and int(word[:-1])])
    name = _QE_NAMES.get(printed) or _QE_PARTS.get(printed) or printed
    if re.search(r"(LDA|DFT)\s*\+\s*U\s*\+\s*V", text):
        return name + "+U+V"
    return name + ("+U" if plus_u(text) else "")


def libxc_functional(parts: Sequence[str | int]) -> str:
    """Name of exchange and correlation given by numbers or names of libxc."""
    words = [str(part).strip().upper().removeprefix("XC_") for part in parts]
    numbers = sorted(int(word) if word.isdigit() else _LIBXC_NAMES.get(word, 0) for word in words)
    return _LIBXC.get(tuple(numbers)) or "libxc " + "+".join(words)


def plus_u(text: str) -> bool:
    """Whether an input or output of Quantum ESPRESSO has Hubbard corrections."""
    marks = r"(LDA|DFT)\s*\+\s*U|Hubbard (parameters|projectors)|^\s*HUBBARD\b|lda_plus_u\s*=\s*\.t"
    return re.search(marks, text, re.IGNORECASE | re.MULTILINE) is not None
