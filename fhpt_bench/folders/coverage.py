"""What a folder covers of a pair list, file by file and pair by pair."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from fhpt_bench.errors import BenchError

FEW = 5
"""Names that a message shows; JSON has them all."""


@dataclass(frozen=True)
class Coverage:
    """Which pairs have an image, and which files are none's. Names are fit to be shown (``files.printable``)."""

    layout: str
    pairs: int
    """How many images are wanted."""
    missing: tuple[str, ...] = ()
    """Pairs without a file."""
    duplicate: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Pair -> its files, where there are several that differ."""
    unmatched: tuple[str, ...] = ()
    """Image files that are no pair's."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """File -> why it cannot be measured: damaged, greyscale, of another size."""
    identical: int = 0
    """Files left out because another file of their pair has the same bytes."""
    others: int = 0
    """Files that are no images."""
    lossy: int = 0
    """Images that were saved with loss (JPEG), which changes every score."""
    decided: str = ""
    """How the layout was found, and what of each file is measured."""

    @property
    def matched(self) -> int:
        """Pairs with an image that can be measured."""
        return self.pairs - len(self.missing) - len(self.duplicate) - len(self.unreadable)

    def problems(self) -> str:
        """What is wrong, with the first few names; empty where nothing is."""
        found = [
            _line("missing", self.missing),
            _line("duplicate", [f"{pair} ({', '.join(files)})" for pair, files in self.duplicate.items()]),
            _line("unmatched", self.unmatched),
            _line("unreadable", [f"{name}: {why}" for name, why in self.unreadable.items()]),
        ]
        return "; ".join(filter(None, found))

    def line(self) -> str:
        """The report in one line, for stderr."""
        notes = [
            f"{self.identical} files twice the same" if self.identical else "",
            f"{self.lossy} saved with loss (JPEG): every score has paid for that" if self.lossy else "",
            f"{self.others} other files left out" if self.others else "",
        ]
        said = [self.decided, self.problems() or "nothing missing, duplicate, unmatched or unreadable", *notes]
        return f"{self.matched} of {self.pairs} pairs have an image; " + "; ".join(filter(None, said))

    def as_json(self) -> dict[str, Any]:
        """Every name, JSON values only."""
        return {
            "layout": self.layout,
            "decided": self.decided,
            "pairs": self.pairs,
            "matched": self.matched,
            "missing": list(self.missing),
            "duplicate": {pair: list(files) for pair, files in self.duplicate.items()},
            "unmatched": list(self.unmatched),
            "unreadable": dict(self.unreadable),
            "identical": self.identical,
            "lossy": self.lossy,
            "other_files": self.others,
        }

    def as_card(self) -> dict[str, Any]:
        """For the record: as JSON, without what is empty."""
        return {key: value for key, value in self.as_json().items() if value}

    def check(self, where: object, *, allow_missing: bool) -> None:
        """``CoverageError`` where pairs lack an image or files a pair (unless allowed), and where a pair has several
        images or one that cannot be read (always)."""
        fixes = []
        if self.missing and not allow_missing:
            fixes.append("make the missing images, or score what is there with --allow-missing (never ranked)")
        if self.unmatched and not allow_missing:
            fixes.append("take away files that belong to no pair (--allow-missing leaves them out)")
        if self.duplicate:
            fixes.append("keep one file a pair")
        if self.unreadable:
            fixes.append("write unreadable files again")
        if not self.matched and not fixes:
            fixes.append("make the images")
        if fixes:
            what = f"{self.matched} of {self.pairs} pairs have an image; {self.problems()}"
            raise CoverageError(f"{what} [{self.decided}]" if self.decided else what, self, where, "; ".join(fixes))


class CoverageError(BenchError):
    """A folder that does not cover the pairs; ``coverage`` has every name."""

    def __init__(self, what: str, coverage: Coverage, where: object, fix: str) -> None:
        super().__init__(what, where=where, fix=fix)
        self.coverage = coverage


def _line(kind: str, names: Collection[str]) -> str:
    shown = list(names)[:FEW]
    return f"{len(names)} {kind}: {', '.join(shown)}{', ...' if len(names) > FEW else ''}" if names else ""
