"""Published numbers: every one of the papers' tables against a transcription of its own; how the file is read."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from fhpt_bench import BenchError, protocol
from fhpt_bench.published import Published, load, of, overview
from fhpt_bench.registry import BUILT_IN

ROWS = load()

PROTOCOLS = {"rate2020", "intrflow2019", "spgnet2021", "spgnet2021-market", "incarnation2021", "incarnation2021-market"}
"""Where each ships as a file, its data set must be the one that the published rows name."""
ONLY_IN_PAPERS = {"r2g", "g2r", "jab", "parsing-miou"}

SSIM_IS_FID_LPIPS = "ssim is fid lpips"
SSIM_FID_PCKH_LPIPS = "ssim fid pckh@0.5 lpips"
FASHION = "ssim is fashion-is attrrec-5 attrrec-20"
STUDY = "r2g g2r jab"
MARKET = "ssim mask-ssim fid pckh@0.5 lpips mask-lpips"
TABLES = {
    ("RATE-Net", "Table 2", "comparison", "rate2020"): (SSIM_IS_FID_LPIPS, """
        UV-Net | .763 3.440
        SPT | .736 3.441
        DSC | .762 3.330 24.479 .233
        PATN | .773 3.209 19.816 .253
        RATE coarse | .780 3.230 18.405 .243
        RATE full | .774 3.125 14.611 .218"""),
    ("RATE-Net", "Table 1", "ablation", "rate2020"): (SSIM_IS_FID_LPIPS, """
        PB only | .772 3.231 18.602 .250
        PB fixed | .767 2.923 20.346 .238
        Texture64dim | .763 3.040 18.263 .243"""),
    ("Intr-Flow", "Table 1", "comparison", "intrflow2019"): (FASHION, """
        UPIS | .747 2.97
        DPT | .796 3.71
        DPIG | .614 3.228
        VUnet | .786 3.087
        PG2 | .762 3.090 2.639 13.560 30.193
        DSC | .756 3.439 3.804 19.017 43.812
        Intr-Flow | .778 3.338 4.898 21.065 49.044
        real | 1.000 3.962 6.518 24.780 61.626"""),
    ("Intr-Flow", "Table 3", "ablation", "intrflow2019"): (FASHION, """
        w/o dual encoder | .780 3.173 3.927 19.085 43.377
        w/o flow | .783 3.319 4.119 19.716 44.656
        w/o visibility | .778 3.260 4.491 20.297 46.591
        w/o pixel warping | .776 3.281 4.800 20.942 48.391"""),
    ("Intr-Flow", "User study", "user study", "intrflow2019"): (STUDY, """
        DSC | 9.55 9.24 9.47
        Intr-Flow | 10.01 31.71 90.53"""),
    ("SPGNet", "Table 1", "comparison", "spgnet2021"): (SSIM_FID_PCKH_LPIPS, """
        Def-GAN | .760 18.475 .94 .2330
        PATN | .773 20.739 .96 .2533
        Intr-Flow | .778 16.314 .96 .2131
        GFLA | .790 10.573 .96 .2341
        ADGAN | .772 14.460 .96 .2256
        XingGAN | .778 39.322 .95 .2927
        BiGraphGAN | .778 20.951 .97 .2444
        SPGNet | .782 12.243 .97 .2105"""),
    ("SPGNet", "Table 2", "comparison", "spgnet2021-market"): (MARKET, """
        Def-GAN | .290 .805 25.364 .94 .2994 .1496
        PATN | .311 .811 22.657 .94 .3196 .1590
        Intr-Flow | .308 .813 27.163 .95 .2888 .1403
        GFLA | .281 .796 19.751 .94 .2817 .1482
        XingGAN | .313 .816 22.495 .93 .3059 .1581
        BiGraphGAN | .325 .818 28.915 .94 .3048 .1505
        SPGNet | .315 .818 23.331 .97 .2779 .1385"""),
    ("SPGNet", "Table 2", "user study", "spgnet2021"): (STUDY, """
        Def-GAN | 12.42 24.61 4.87
        PATN | 19.14 31.78 8.27
        Intr-Flow | 10.01 31.71 13.60
        GFLA | 19.53 35.07 22.60
        XingGAN | 21.61 33.75 4.73
        BiGraphGAN | 22.39 34.16 13.93
        SPGNet | 19.47 36.80 32.00"""),
    ("SPGNet", "Table 2", "user study", "spgnet2021-market"): (STUDY, """
        Def-GAN | 22.67 50.24 11.07
        PATN | 32.23 63.47 6.53
        Intr-Flow | 36.27 65.33 17.07
        GFLA | 35.87 64.93 16.80
        XingGAN | 35.28 65.16 7.20
        BiGraphGAN | 35.76 65.91 16.20
        SPGNet | 37.93 66.53 25.13"""),
    ("SPGNet", "Table 3", "ablation", "spgnet2021"): (SSIM_FID_PCKH_LPIPS, """
        Baseline | .784 18.946 .96 .2308
        Baseline-S | .780 16.460 .96 .2353
        SPADE | .779 13.808 .96 .2200
        CC | .778 13.686 .96 .2252
        PATN-S | .776 15.488 .96 .2557
        SEAN | .778 15.993 .96 .2209
        Full | .783 12.613 .97 .2133"""),
    ("SPGNet", "Training schemes", "ablation", "spgnet2021"): (SSIM_FID_PCKH_LPIPS, """
        S1.S2 | .785 17.340 .96 .2240
        joint | .792 24.309 .96 .2435
        S1||S2 | .782 12.243 .97 .2105"""),
    ("SPGNet", "SPATN", "ablation", "spgnet2021"): ("parsing-miou", """
        SPATN without distance maps | .520
        SPATN with distance maps | .539"""),
    ("Patch generation", "Table 1", "comparison", "incarnation2021"): ("is ssim fid lpips", """
        ADGAN | 3.3788 .7716 13.88 .22
        PISE | 3.4124 .7669 9.94 .20
        RAN | - .782 12.24 .21
        DeformableGAN | 3.439 .756
        PATN | 3.2019 .7713 21.73 .25
        SelectionGAN | 3.2818 .7640 32.31 .27
        BiGraphGAN | 3.4292 .7776 24.19 .24
        GFLA | 3.4371 .7673 15.67 .22
        Incarnation | 3.4621 .7767 10.80 .19"""),
    ("Patch generation", "Table 1", "comparison", "incarnation2021-market"): ("is ssim fid lpips", """
        RAN | - .315 23.33 .27
        DeformableGAN | 3.185 .290
        PATN | 3.1604 .2814 38.36 .31
        SelectionGAN | 3.4473 .3305 104.08 .34
        BiGraphGAN | 3.3288 .3253 36.67 .30
        GFLA | 3.1715 .2803 28.49 .28
        Incarnation | 3.1919 .3191 27.69 .26"""),
}  # fmt: skip
"""(paper, table, part, protocol) -> its scores, and a line a method: the values as printed, ``-`` for none."""


def key(row: Published) -> tuple[str, str, str, str]:
    return (row.paper, row.table, row.part, row.protocol)


def test_no_table_more_and_none_less():
    assert set(map(key, ROWS)) == set(TABLES)
    assert len(ROWS) == 302


@pytest.mark.parametrize("table", TABLES, ids=" ".join)
def test_every_number_of_a_table_as_printed(table):
    scores, text = TABLES[table]
    wanted = {}
    for line in text.strip().splitlines():
        method, values = line.strip().rsplit(" | ", 1)
        wanted |= {
            (method, score): value for score, value in zip(scores.split(), values.split(), strict=False) if value != "-"
        }
    have = [row for row in ROWS if key(row) == table]
    assert {(row.method, row.score): row.value for row in have} == wanted
    assert len(have) == len(wanted)


def test_directions_units_and_data():
    for row in ROWS:
        assert (row.better == "lower") == (row.score in ("fid", "lpips", "mask-lpips")), row
        assert (row.unit == "percent") == (row.score.startswith("attrrec-") or row.score in STUDY.split()), row
        assert row.data == ("market1501" if row.protocol.endswith("-market") else "deepfashion"), row
        if row.unit != "percent" and row.score not in ("is", "fid", "fashion-is"):
            assert 0 < row.number <= 1, row
    splits = {row.protocol: {r.pairs for r in ROWS if r.protocol == row.protocol} for row in ROWS}
    assert splits["rate2020"] == {"patn"}
    assert splits["intrflow2019"] == {"dsc", "other"}
    assert {row.method for row in ROWS if row.pairs == "other"} == {"UPIS", "DPT"}
    assert all(row.note == "other split" for row in ROWS if row.pairs == "other")


def test_values_keep_their_decimals_and_percents_become_shares():
    found = {(row.protocol, row.part, row.method, row.score): row for row in ROWS}
    row = found["intrflow2019", "comparison", "PG2", "attrrec-5"]
    assert (row.value, row.text, row.number) == ("13.560", "13.560", 0.1356)
    row = found["rate2020", "ablation", "PB only", "lpips"]
    assert (row.value, row.text, row.number) == (".250", "0.250", 0.25)


def test_scores_are_ours_or_said_to_be_only_in_papers():
    known = set(BUILT_IN["metrics"]) | ONLY_IN_PAPERS | {"attrrec-5", "attrrec-20"}
    assert {re.sub("@.*", "", row.score) for row in ROWS} <= known


def test_protocols_are_known_and_of_that_data_set():
    assert {row.protocol for row in ROWS} == PROTOCOLS
    for name in PROTOCOLS & set(protocol.names()):
        assert {protocol.load(name).data.partition("@")[0]} == {row.data for row in ROWS if row.protocol == name}


def test_nothing_is_invented_for_the_paper_whose_tables_are_not_at_hand():
    assert not [row for row in ROWS if "fhpt" in (row.paper + row.protocol).lower() or row.method == "DRN"]


def test_of_one_protocol_and_an_unknown_one():
    assert Counter(row.protocol for row in of("spgnet2021")) == {"spgnet2021": 95}
    with pytest.raises(BenchError, match=r"'catwalk-v1'(.|\n)*there are some for: rate2020, intrflow2019"):
        of("catwalk-v1")
    assert sum(int(line["numbers"]) for line in overview()) == 302


HEADER = "paper,table,part,protocol,data,pairs,method,score,value,better,unit,note\n"
GOOD = "P,Table 1,comparison,x2020,deepfashion,patn,Mine,ssim,.750,higher,,\n"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (HEADER + GOOD + GOOD, "line 3 says again what line 2 says"),
        (HEADER + GOOD.replace(".750", "0.75±0.1"), "line 2: value"),
        (HEADER + GOOD.replace(".750", "=1+1"), "line 2: value"),
        (HEADER + GOOD.replace("higher", "up"), "line 2: better"),
        (HEADER + GOOD.replace(",patn", ""), "line 2: "),
        (HEADER + GOOD.replace("\n", ",more\n"), "line 2: "),
        (HEADER.replace("table,", "") + GOOD, "line 2: "),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, text: str, what: str):
    path = tmp_path / "published.csv"
    path.write_text(text)
    with pytest.raises(BenchError) as caught:
        load(path)
    assert what in str(caught.value)
    path.write_text(HEADER + GOOD)
    assert load(path)[0].number == 0.75
