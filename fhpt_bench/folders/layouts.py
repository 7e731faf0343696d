"""What the systems of this field call their result files, and where in them the generated image lies."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fhpt_bench.errors import BenchError
from fhpt_bench.folders import tables
from fhpt_bench.folders.files import printable

AUTO = "auto"
FRAME = (256, 256)
CROPPED = (256, 176)
CROP = (40, 216)
"""DeepFashion's 256x176 images are these columns of its 256x256 ones (PATN's release, and every one since)."""


@dataclass(frozen=True)
class Window:
    """Part of a file's image: its top left corner, its size, and in words why that part."""

    top: int
    left: int
    height: int
    width: int
    about: str = ""


@dataclass(frozen=True)
class Layout:
    """How one system names its files and what a file shows."""

    name: str
    systems: tuple[str, ...]
    """Whose files look so; any of these names it too."""
    forms: tuple[str, ...]
    """File names without their last suffix, of ``{source}``, ``{target}`` and ``{id}``; empty where a file's name is
    its place in the pair list."""
    grid: tuple[int, int] = (1, 1)
    """Rows and columns of panels in a file; the generated image is the last panel of the last row."""
    framed: bool = False
    """A panel may be DeepFashion's 256x256 frame, of which a 256x176 protocol measures columns 40..216."""
    listed: Mapping[str, str] | None = None
    """File -> pair id, where a table says so and names mean nothing."""

    @property
    def indexed(self) -> bool:
        return not self.forms and self.listed is None

    def names(self, pair_id: str, source: str, target: str) -> list[str]:
        """What the file of a pair may be called, without its last suffix."""
        return [form.format(id=pair_id, source=source, target=target) for form in self.forms]

    def window(self, height: int, width: int, size: tuple[int, int]) -> Window | None:
        """Where the image that a protocol of ``size`` (height, width) measures lies in a file of height x width; None
        where this layout knows no such file."""
        if (height, width) == size:
            return Window(0, 0, height, width)
        rows, columns = self.grid
        for panel in (size, FRAME) if self.framed and size == CROPPED else (size,):
            if (height, width) == (rows * panel[0], columns * panel[1]):
                crop = panel != size
                left = (columns - 1) * panel[1]
                said = [f"panel x {left}..{width}, y {height - panel[0]}..{height}"] if self.grid != (1, 1) else []
                said += [f"columns {CROP[0]}..{CROP[1]} of {panel[0]}x{panel[1]}"] if crop else []
                return Window(height - panel[0], left + crop * CROP[0], *size, ", ".join(said))
        return None

    def sizes(self, size: tuple[int, int]) -> list[str]:
        """The file sizes that ``window`` knows, height x width, as text."""
        panels = (size, FRAME) if self.framed and size == CROPPED else (size,)
        rows, columns = self.grid
        return [f"{h}x{w}" for h, w in dict.fromkeys([size, *((rows * h, columns * w) for h, w in panels)])]


LAYOUTS: tuple[Layout, ...] = (
    Layout("ours", ("fhpt-bench",), ("{id}",)),
    Layout("patn", ("PATN", "ADGAN"), ("{source}___{target}_vis", "{source}___{target}"), grid=(1, 5)),
    Layout("rate", ("RATE",), (), grid=(2, 3)),
    Layout("dsc", ("DSC", "Deformable GAN", "pose-gan"), ("{source}_{target}",), grid=(1, 3), framed=True),
    Layout("intrflow", ("Intr-Flow", "SPGNet"), ("{source}_{target}",), framed=True),
    Layout(
        "gfla",
        ("GFLA", "DPTN"),
        ("{source}_2_{target}_vis", "{source}_to_{target}_vis", "{source}_2_{target}", "{source}_to_{target}"),
        framed=True,
    ),
)
"""Where two fit a folder equally well, the earlier one is taken."""


def choices() -> list[str]:
    """What ``--layout`` takes."""
    return [AUTO, *(layout.name for layout in LAYOUTS), "TABLE.csv"]


def from_table(path: Path) -> Layout:
    """A CSV ``file,pair``: paths inside the folder, and whose they are; each file once."""
    listed: dict[str, str] = {}
    for line, row in enumerate(tables.read(path, ("file", "pair")), 2):
        name = row["file"].removeprefix("./")
        if listed.setdefault(name, row["pair"]) != row["pair"]:
            what = f"row {line}: {printable(name)} is named before, for another pair"
            raise BenchError(what, where=path, fix="one pair a file")
    return Layout(path.name, (), (), listed=listed)


def named(name: str) -> Sequence[Layout]:
    """The layout called ``name`` (or whose system is) or in the file ``name.csv``, alone; all of them for ``auto``.

    BenchError for another name.
    """
    if name.casefold() == AUTO:
        return LAYOUTS
    if name.casefold().endswith(".csv"):
        return (from_table(Path(name)),)
    known = {each.casefold(): layout for layout in LAYOUTS for each in (layout.name, *layout.systems)}
    if name.casefold() in known:
        return (known[name.casefold()],)
    near = difflib.get_close_matches(name.casefold(), [*known, AUTO], n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise BenchError(f"no layout is called {name!r}", fix=f"{hint}one of {', '.join(choices())}")
