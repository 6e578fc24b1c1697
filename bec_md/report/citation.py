"""One work to cite, as text and as BibTeX."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Citation:
    """A work and why it is cited.

    Parameters
    ----------
    key
        BibTeX key.
    authors
        As "Family, Given" or "Family, G."; more than six are shortened in the text.
    title, journal, year
        Of the work; `journal` is empty for software.
    volume, pages
        Empty if there are none.
    doi
        Without https://doi.org/.
    reason
        What of the result rests on it.
    url
        For what has no DOI.
    """

    key: str
    authors: tuple[str, ...]
    title: str
    journal: str
    year: int | None
    volume: str = ""
    pages: str = ""
    doi: str = ""
    reason: str = ""
    url: str = ""

    @property
    def link(self) -> str:
        """Address of the work, or empty."""
        return f"https://doi.org/{self.doi}" if self.doi else self.url

    def text(self) -> str:
        """Return the reference in one line."""
        names = [_initials(name) for name in self.authors]
        if len(names) > 6:
            who = f"{names[0]} et al."
        elif len(names) > 1:
            who = ", ".join(names[:-1]) + " and " + names[-1]
        else:
            who = "".join(names)
        where = " ".join(part for part in (self.journal, self.volume) if part)
        if self.pages:
            where += f", {self.pages}"
        parts = [who, f"{self.title}", where]
        line = ", ".join(part for part in parts if part)
        if self.year is not None:
            line += f" ({self.year})"
        return line.rstrip(".") + "."

    def bibtex(self) -> str:
        """Return the BibTeX entry."""
        kind = "article" if self.journal and not self.journal.startswith("arXiv") else "misc"
        fields = {
            "author": " and ".join(self.authors),
            "title": "{" + self.title + "}",
            "journal" if kind == "article" else "howpublished": self.journal,
            "volume": self.volume,
            "pages": self.pages,
            "year": "" if self.year is None else str(self.year),
            "doi": self.doi,
            "url": self.url,
        }
        lines = [f"  {name:<12} = {{{value}}}" for name, value in fields.items() if value]
        return f"@{kind}{{{self.key},\n" + ",\n".join(lines) + "\n}"


def _initials(name: str) -> str:
    """Turn "Family, Given Names" into "G. N. Family"."""
    family, _, given = name.partition(", ")
    letters = [part if part.endswith(".") else part[0] + "." for part in given.split()]
    return " ".join([*letters, family])
