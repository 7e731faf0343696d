"""Writes the tables of docs/protocols.md from protocols/*.toml: python docs/protocol_matrix.py

Between the lines <!-- matrix --> and <!-- /matrix --> stands what this prints; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fhpt_bench import protocol
from fhpt_bench.metrics.prepare import Prepare
from fhpt_bench.protocol import EvalProtocol, MetricSpec

PAGE = Path(__file__).parent / "protocols.md"
MARKS = re.compile(r"(<!-- matrix -->\n).*?(<!-- /matrix -->)", re.S)

DEFECTS = {
    "legacy": "not the FID network",
    "drop": "last batch dropped",
    "range": "range from the prediction",
    "pad": "padded white",
    "stored": "stored as JPEG",
    "again": "only generated stored again",
    "cut": "truth cut",
}


def spell(settings: Mapping[str, Any]) -> str:
    """What is done to images first: ``truth cut; both stored75,pad256x256``."""
    true, made = (Prepare.of(settings.get(name)) for name in ("prepare", "prepare_generated"))
    if "prepare_generated" not in settings or true == made:
        return true.label
    steps = [label.split(",") if (label := how.label) else [] for how in (true, made)]
    shared = ",".join(step for step in steps[0] if step in steps[1])
    only = [[step for step in mine if step not in other] for mine, other in (steps, reversed(steps))]
    told = [f"{who} {','.join(own)}" for who, own in zip(("truth", "generated"), only, strict=True) if own]
    return "; ".join([*told, *([f"both {shared}"] if shared else [])])


def words(spec: MetricSpec) -> str:
    """One metric with its settings, in a cell."""
    settings = spec.settings
    parts: list[str] = []
    if spec.use in ("ssim", "mask-ssim"):
        window = str(settings.get("window", "gauss1.5"))
        covariance = "n-1" if settings.get("sample_covariance") else "n"
        parts = [window, f"range {settings.get('data_range', 255)}", covariance]
    elif spec.use in ("lpips", "mask-lpips"):
        parts = [settings.get("net", "alex")]
    elif spec.use in ("fid", "kid"):
        parts = [settings.get("extractor", "torchmetrics"), settings.get("reference", "targets")]
    elif spec.use == "is":
        parts = [f"{settings.get('splits', 10)} splits", "shuffled" if settings.get("shuffle", True) else "unshuffled"]
    elif spec.use in ("pckh", "pck", "kec"):
        parts = [settings.get("detector", "mediapipe")]
    elif spec.use == "face":
        parts = [settings.get("backend", "dlib")]
    if "mask" in settings:
        parts.append(f"{settings['mask']} mask, {settings.get('outside', 'black')} outside")
    parts += [spell(settings)] if spell(settings) else []
    parts += [f"drop_last {settings['drop_last']}"] if settings.get("drop_last") else []
    return ", ".join(parts)


COLUMNS = {
    "SSIM": ("ssim",),
    "LPIPS": ("lpips",),
    "FID": ("fid",),
    "IS": ("is",),
    "masked": ("mask-ssim", "mask-lpips"),
}


def parameters(found: EvalProtocol) -> list[str]:
    """A row of the first table."""
    cells = [f"`{found.name}`", f"{found.data} {found.size[0]}x{found.size[1]}"]
    for uses in COLUMNS.values():
        of = [spec for spec in found.metrics if spec.use in uses]
        cells.append("; ".join(f"{spec.use}: {words(spec)}" if len(uses) > 1 else words(spec) for spec in of))
    known = {use for uses in COLUMNS.values() for use in uses}
    rest = [spec for spec in found.metrics if spec.use not in known]
    return [*cells, ", ".join(f"{s.use} {words(s)}".strip() for s in rest)]


def defects(found: EvalProtocol) -> dict[str, list[str]]:
    """Defect -> which of the protocol's metrics have it."""
    having: dict[str, list[str]] = {key: [] for key in DEFECTS}
    for spec in found.metrics:
        settings = spec.settings
        true, made = (Prepare.of(settings.get(name)) for name in ("prepare", "prepare_generated"))
        holds = {
            "legacy": settings.get("extractor") == "legacy",
            "drop": bool(settings.get("drop_last")),
            "range": settings.get("data_range") == "prediction",
            "pad": true.pad is not None,
            "stored": true.stored is not None or true.jpeg is not None,
            "again": "prepare_generated" in settings and made.jpeg != true.jpeg,
            "cut": true.cut,
        }
        for key in (key for key, held in holds.items() if held):
            having[key] += [spec.use] if spec.use not in having[key] else []
    return having


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def frozen() -> list[EvalProtocol]:
    return [found for name in protocol.names() if (found := protocol.load(name)).frozen]


def matrix() -> str:
    """Both tables, as they stand in the page."""
    known = frozen()
    first = table(["protocol", "images", *COLUMNS, "other"], [parameters(found) for found in known])
    rows = [[f"`{p.name}`", *(", ".join(metrics) for metrics in defects(p).values())] for p in known]
    second = table(["protocol", *DEFECTS.values()], rows)
    hashes = table(["protocol", "sha256 of the file"], [[f"`{p.name}`", f"`{p.sha256[:12]}`"] for p in known])
    return f"**Parameters.**\n\n{first}\n**Defects kept**, and in which columns.\n\n{second}\n**Files.**\n\n{hashes}"


def written(page: str) -> str:
    """The page with its tables as they should be."""
    assert MARKS.search(page), "the page has lost its marks"
    return MARKS.sub(lambda marks: marks[1] + matrix() + marks[2], page)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
