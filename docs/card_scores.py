"""Writes the scores in every baseline's card from the rows that ship: python docs/card_scores.py

Between the lines <!-- scores --> and <!-- /scores --> of a card stands what this prints; a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from fhpt_bench import compare, show
from fhpt_bench.record import Record
from fhpt_bench.registry import baseline_folders, model_name

MARKS = re.compile(r"(<!-- scores -->\n).*?(<!-- /scores -->)", re.S)
REFERENCES = ("copy-source", "blank")
SCORES = {
    "lpips[alex]": "LPIPS (AlexNet) ↓",
    "lpips[vgg]": "LPIPS (VGG16) ↓",
    "ssim[gauss1.5]/foreground": "SSIM, foreground ↑",
    "fid[clean]": "FID ↓",
    "kid[clean]": "KID ↓",
    "kec[all]/body": "KEC, body (truth: {truth}) ↑",
    "kec[all]/face": "KEC, face (truth: {truth}) ↑",
    "kec[all]/hands": "KEC, hands (truth: {truth}) ↑",
    "pckh@0.5": "PCKh (truth: {truth}) ↑",
    "face-found": "faces found ↑",
    "face-same@eer[target,all]": "same face at the calibrated threshold ↑",
    "recall@5[vgg,other-views]": "recall@5, VGG ↑",
    "recall@5[resnet,other-views]": "recall@5, small ResNet ↑",
    "gender-error[vgg]/men": "gender error, men (truth: {truth}) ↓",
    "gender-error[vgg]/women": "gender error, women (truth: {truth}) ↓",
    "attrrec-5": "AttrRec-5 (truth: {truth}) ↑",
}
CONDITIONS = {
    "copy-source": ("lpips[alex]", "lpips[vgg]", "ssim[gauss1.5]/foreground"),
    "blank": ("lpips[alex]", "lpips[vgg]", "ssim[gauss1.5]/foreground", "kid[clean]"),
}
"""What a trained baseline must be better at than each reference, over the same people."""


def rows() -> dict[str, Record]:
    """Catwalk's rows that ship, by model."""
    return {record.model.name: record for record in show.shipped_records("catwalk-v1")}


def of_baseline(folder: Path, records: Mapping[str, Record]) -> list[str]:
    """Names of a baseline's rows, its own first."""
    name = model_name(folder)
    return [name, *sorted(other for other in records if other.startswith(f"{name}-"))]


def spelled(record: Record, score: str, *, interval: bool) -> str:
    """``0.224 [0.211, 0.237]``, or a dash where it could not be measured."""
    found = record.score(score)
    if found.value is None:
        return "—"
    digits = 0 if score.startswith("fid") else 3
    ends = f" [{found.low:.{digits}f}, {found.high:.{digits}f}]" if interval and found.low is not None else ""
    return f"{found.value:.{digits}f}{ends}".replace("-", "\N{MINUS SIGN}")


def beaten(record: Record, records: Mapping[str, Record]) -> str:
    """Which of ``CONDITIONS`` hold, said in a sentence."""
    failed = []
    for other, scores in CONDITIONS.items():
        table = compare(record, records[other]).set_index("score")
        failed += [f"{score} against {other}" for score in scores if table.loc[score, "verdict"] != "a"]
    if not failed:
        return (
            "Better than copying the source and than white paper on both LPIPS and foreground SSIM, and than white "
            "paper on KID, over the same people (no paired interval holds 0)."
        )
    return f"Not better, over the same people: {', '.join(failed)}."


def scores(folder: Path, records: Mapping[str, Record]) -> str:
    """The table and the sentence of one card."""
    own = of_baseline(folder, records)
    lines = ["| | " + " | ".join([*own, *REFERENCES]) + " |", "|---" * (1 + len(own) + len(REFERENCES)) + "|"]
    for score, title in SCORES.items():
        cells = [spelled(records[name], score, interval=True) for name in own]
        cells += [spelled(records[name], score, interval=False) for name in REFERENCES]
        truth = spelled(records["truth"], score, interval=False)
        lines.append(f"| {title.format(truth=truth)} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", beaten(records[own[0]], records), ""])


def written(folder: Path, records: Mapping[str, Record]) -> str:
    """The card with its scores brought up to date."""
    card = (folder / "README.md").read_text("utf-8")
    return MARKS.sub(lambda found: found[1] + scores(folder, records) + found[2], card)


if __name__ == "__main__":
    for each in baseline_folders():
        (each / "README.md").write_text(written(each, rows()), "utf-8")
