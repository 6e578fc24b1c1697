"""Names of levels of theory: one name for one functional, whatever code printed it."""

from __future__ import annotations

import re
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
_NONE = {"", "--", "NONE", "F", "T", ".FALSE.", ".TRUE."}

#: Short names of Quantum ESPRESSO by their four parts (exchange, correlation, and their gradients).
_QE_PARTS = {
    "SLA PW PBE PBE": "PBE", "SLA PW PBX PBC": "PBE", "SLA PW PSX PSC": "PBEsol", "SLA PZ NOGX NOGC": "LDA",
    "SLA PZ": "LDA", "SLA PW NOGX NOGC": "LDA", "SLA PW": "LDA", "SLA PW REVX PBC": "revPBE",
    "SLA PW REV PBC": "revPBE", "SLA PW RPB PBC": "RPBE", "SLA PW GGX GGC": "PW91",
    "SLA LYP B88 BLYP": "BLYP", "B88 LYP BLYP": "BLYP", "SLA PW B88 P86": "BP86",
}  # fmt: skip
_QE_NAMES = {
    "PBE": "PBE", "PBESOL": "PBEsol", "LDA": "LDA", "PZ": "LDA", "PW": "LDA", "REVPBE": "revPBE",
    "RPBE": "RPBE", "PW91": "PW91", "BLYP": "BLYP", "BP": "BP86", "BP86": "BP86", "SCAN": "SCAN",
    "RSCAN": "rSCAN", "R2SCAN": "r2SCAN", "TPSS": "TPSS", "HSE": "HSE06", "PBE0": "PBE0", "B3LYP": "B3LYP",
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
            return "libxc " + "+".join(self.libxc) if self.libxc else None
        if meta not in _NONE:
            return _VASP_META.get(meta, self.metagga.strip())
        gga = self.gga.strip().upper()
        tag = self.lexch.strip().upper() if gga in _NONE else gga
        return _VASP_GGA.get(tag, tag or None)

    def _hybrid(self, base: str) -> str:
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
    name = _QE_NAMES.get(printed) or _QE_PARTS.get(printed) or printed
    if re.search(r"(LDA|DFT)\s*\+\s*U\s*\+\s*V", text):
        return name + "+U+V"
    return name + ("+U" if plus_u(text) else "")


def plus_u(text: str) -> bool:
    """Whether an input or output of Quantum ESPRESSO has Hubbard corrections."""
    marks = r"(LDA|DFT)\s*\+\s*U|Hubbard (parameters|projectors)|^\s*HUBBARD\b|lda_plus_u\s*=\s*\.t"
    return re.search(marks, text, re.IGNORECASE | re.MULTILINE) is not None
