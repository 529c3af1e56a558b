from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.files.tables import EXCLUDED_REGIONS
from fineprior.genome.excluded_regions import Region, describe_excluded, excluded_regions, free_spaces
from fineprior.project.settings import LociSettings

KNOWN = Path(__file__).parents[2] / "resources/long_range_ld.tsv"
SHARED = Path(__file__).parents[2].parent / "shared/data/genome"
LENGTHS = {"1": 249_250_621, "6": 171_115_067, "8": 146_364_022, "11": 135_006_516, "X": 155_270_560}


class Contigs:
    """As much of a genome as the regions need."""

    def __init__(self, prefix="chr", lengths=LENGTHS):
        self.contigs = {prefix + name: length for name, length in lengths.items()}
        self.prefix, self.path = prefix, "g.fa"

    def find(self, name):
        own = self.prefix + str(name).removeprefix("chr")
        return own if own in self.contigs else None


def places(regions):
    return [(r.chrom, r.start, r.end) for r in regions]


def test_the_mhc_is_left_out_unless_one_says_otherwise():
    settings = LociSettings()
    assert places(excluded_regions(Contigs(), "hg19", settings, KNOWN)) == [("chr6", 25_500_000, 33_500_000)]
    assert places(excluded_regions(Contigs(""), "GRCh38", settings, KNOWN)) == [("6", 25_499_772, 33_532_223)]
    assert excluded_regions(Contigs(), "GRCh37", LociSettings(exclude="none"), KNOWN) == []


def test_long_range_ld_covers_the_regions_that_polyfun_leaves_out():
    regions = excluded_regions(Contigs(), "GRCh37", LociSettings(exclude="long_range"), KNOWN)
    for chrom, start, end in (("chr6", 25.5, 33.5), ("chr8", 8, 12), ("chr11", 46, 57)):
        assert any(r.chrom == chrom and r.start <= start * 1e6 and r.end >= end * 1e6 for r in regions), chrom
    assert places(regions) == sorted(places(regions), key=lambda p: (list(Contigs().contigs).index(p[0]), *p[1:]))


def test_the_table_has_the_same_regions_in_both_builds():
    table = pd.read_csv(KNOWN, sep="\t", dtype={"chrom": "str"})
    assert list(table) == ["build", "list", "region", "chrom", "start", "end", "source"]
    old, new = (table[table["build"] == build].reset_index(drop=True) for build in ("GRCh37", "GRCh38"))
    assert (old[["list", "region", "chrom"]] == new[["list", "region", "chrom"]]).all(axis=None)
    assert len(old) == 25
    assert ((new["end"] - new["start"]) / (old["end"] - old["start"])).between(0.8, 1.2).all()


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="acceptance data are not here")
def test_the_grch38_ends_are_those_of_the_chain_file():
    from pyliftover import LiftOver

    lift = LiftOver(str(SHARED / "grch37_to_grch38.over.chain"))
    table = pd.read_csv(KNOWN, sep="\t", dtype={"chrom": "str"})
    old, new = (table[table["build"] == build].reset_index(drop=True) for build in ("GRCh37", "GRCh38"))
    for column in ("start", "end"):
        lifted = [lift.convert_coordinate(chrom, pos) or lift.convert_coordinate(f"chr{chrom}", pos)
                  for chrom, pos in zip(old["chrom"], old[column], strict=True)]  # fmt: skip
        assert [hit[0][1] for hit in lifted] == new[column].to_list()


def test_another_build_leaves_nothing_out_and_says_so(caplog):
    assert excluded_regions(Contigs(), "T2T", LociSettings(), KNOWN) == []
    assert "loci.exclude: mhc, but no regions are known for genome.build T2T (known: GRCh37, GRCh38)" in caplog.text


def test_regions_stay_within_the_genome():
    short = Contigs(lengths={"6": 30_000_000, "8": 5_000_000})
    regions = excluded_regions(short, "GRCh37", LociSettings(exclude="long_range"), KNOWN)
    assert places(regions) == [("chr6", 25_000_000, 30_000_000), ("chr6", 25_500_000, 30_000_000)]


def test_a_bed_and_the_x_chromosome(tmp_path):
    (tmp_path / "mine.bed").write_text("8\t5\t9\nchr1\t100\t200\n")
    settings = LociSettings(exclude="none", exclude_bed=str(tmp_path / "mine.bed"), x="drop")
    regions = excluded_regions(Contigs(), "GRCh37", settings, KNOWN)
    assert places(regions) == [("chr1", 100, 200), ("chr8", 5, 9), ("chrX", 0, LENGTHS["X"])]
    assert [r.name for r in regions] == ["chr1_100_200", "chr8_5_9", "X chromosome"]
    assert regions[0].reason.startswith("loci.exclude_bed: ")


def test_each_x_of_the_fasta_is_left_out():
    genome = Contigs(lengths={"1": 10})
    genome.contigs |= {"chrX": 20, "X": 30, "chrXY_random": 5}
    regions = excluded_regions(genome, "GRCh37", LociSettings(exclude="none", x="drop"), KNOWN)
    assert places(regions) == [("chrX", 0, 20), ("X", 0, 30)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (LociSettings(exclude="hla"), "loci.exclude: 'hla' is not known; allowed: none, mhc, long_range"),
        (LociSettings(x="maybe"), "loci.x: 'maybe' is not known; allowed: keep, drop"),
        (LociSettings(exclude_bed="no.bed"), "no.bed: no such file"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(InputError, match=message):
        excluded_regions(Contigs(), "GRCh37", settings, KNOWN)


def test_free_spaces_are_what_overlapping_regions_leave():
    regions = [Region("1", a, b, "", "") for a, b in ((10, 20), (12, 15), (18, 30), (50, 60))] + [
        Region("2", 0, 99, "", "")
    ]
    assert free_spaces("1", 0, 100, regions) == [(0, 10), (30, 50), (60, 100)]
    assert free_spaces("1", 15, 55, regions) == [(30, 50)]
    assert free_spaces("1", 12, 28, regions) == []
    assert free_spaces("3", 5, 9, regions) == [(5, 9)]


def test_every_significant_variant_is_in_a_locus_or_counted():
    rng = np.random.default_rng(5)
    pos = np.sort(rng.choice(np.arange(1, 10_000), 500, replace=False))
    table = pd.DataFrame(
        {"chrom": "chr1", "pos": pos, "z": rng.normal(0, 5, 500), "neg_log10_p": rng.uniform(0, 20, 500)}
    )
    table["variant_id"] = table["pos"].astype("str")
    loci = pd.DataFrame({"chrom": ["chr1"], "start": [1000], "end": [3000]})
    regions = [Region("chr1", 4000, 5000, "MHC", "loci.exclude: mhc"), Region("chr1", 9998, 9999, "small", "x")]
    found = EXCLUDED_REGIONS.checked(describe_excluded(regions, loci, table, Contigs(), 1e-8), "test")
    hits = table[table["neg_log10_p"] >= 8]
    in_locus = ((hits["pos"] > 1000) & (hits["pos"] <= 3000)).sum()
    assert found["significant"].sum() + in_locus == len(hits)
    assert found["region"].to_list() == ["MHC", "small", "elsewhere"]
    assert found["variants"].iloc[0] == ((pos > 4000) & (pos <= 5000)).sum()
    inside = hits[(hits["pos"] > 4000) & (hits["pos"] <= 5000)]
    assert found["lead_neg_log10_p"].iloc[0] == inside["neg_log10_p"].max()
