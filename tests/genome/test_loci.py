from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fineprior.files.errors import InputError
from fineprior.files.tables import LOCI, LOCUS_VARIANTS, SUMSTATS
from fineprior.genome.bed import batch_of
from fineprior.genome.excluded_regions import Region
from fineprior.genome.fasta import Genome
from fineprior.genome.loci import Interval, describe_loci, find_loci, read_bed
from fineprior.project.settings import LociSettings

LENGTH = 10_000
SETTINGS = LociSettings(flank=100, max_width=1000)


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    path.write_text(f">chr2\n{'A' * LENGTH}\n>chr1\n{'C' * 500}\n")
    return Genome(path)


def table(lines):
    """SUMSTATS of lines (chrom, pos, z), sorted as harmonise sorts."""
    frame = pd.DataFrame(lines, columns=["chrom", "pos", "z"]).sort_values(["chrom", "pos"], ascending=[False, True])
    ids = frame["chrom"] + ":" + frame["pos"].astype("str") + ":A:G"
    frame = frame.assign(variant_id=ids, ref="A", alt="G", rsid=None, beta=0.1, se=0.1, eaf=0.5, n=10, panel_af=0.5,
                         panel_index=0, action="kept", neg_log10_p=frame["z"].abs())  # fmt: skip
    return SUMSTATS.checked(frame, "test")


def found(genome, lines, settings=SETTINGS):
    return [(i.chrom, i.start, i.end) for i in find_loci(table(lines), genome, settings)]


def test_a_lead_makes_a_window_of_flanks_within_the_chromosome(genome):
    lines = [("chr2", 1000, 9.0), ("chr2", 50, 8.0), ("chr2", 9950, -8.0), ("chr1", 450, 8.0), ("chr2", 5000, 7.0)]
    assert found(genome, lines) == [
        ("chr2", 0, 150), ("chr2", 900, 1100), ("chr2", 9850, 10000), ("chr1", 350, 500),
    ]  # fmt: skip


def test_a_variant_in_the_window_of_a_stronger_one_is_no_lead(genome):
    assert found(genome, [("chr2", 1000, 9.0), ("chr2", 1100, 8.0), ("chr2", 901, 8.0)]) == [("chr2", 900, 1100)]
    assert found(genome, [("chr2", 1000, 9.0), ("chr2", 1101, 8.0)]) == [("chr2", 900, 1201)]
    assert found(genome, [("chr2", 1000, 9.0), ("chr2", 1200, 8.0)]) == [("chr2", 900, 1100), ("chr2", 1100, 1300)]


def test_the_threshold_itself_is_significant(genome):
    lines = [("chr2", 1000, -np.log10(5e-8))]
    assert len(found(genome, lines)) == 1
    assert found(genome, [("chr2", 1000, -np.log10(5e-8) - 1e-9)]) == []
    assert found(genome, []) == []


def test_ties_go_to_the_smaller_position(genome):
    assert found(genome, [("chr2", 1090, 9.0), ("chr2", 1000, 9.0)]) == [("chr2", 900, 1100)]


def test_a_wide_locus_is_trimmed_around_its_lead_and_the_rest_is_not_lost(genome):
    lines = [("chr2", 1000 + 150 * k, 8.0 + (k == 9)) for k in range(20)]  # one chain from 900 to 3950
    loci = find_loci(table(lines), genome, SETTINGS)
    assert [(i.start, i.end) for i in loci] == [(900, 1850), (1850, 2850), (2850, 3850)]
    assert loci[1].note == "trimmed to max_width around its lead, from 900-3950"
    assert loci[0].note == "cut off from chr2_1850_2850, which was trimmed"
    assert "trimmed to max_width around its lead, from 2850-3950" in loci[2].note
    described, _ = describe_loci(loci, table(lines), 2)
    assert described["variants"].sum() == len(lines)


def test_a_rest_without_a_hit_is_no_locus(genome):
    lines = [("chr2", 1000, 9.0), ("chr2", 1150, 8.0), ("chr2", 1300, 8.0)]
    narrow = LociSettings(flank=100, max_width=450)
    loci = find_loci(table(lines), genome, narrow)
    assert [(i.start, i.end) for i in loci] == [(900, 1350)]
    assert loci[0].note.endswith("from 900-1400")


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, LENGTH), st.integers(50, 120)), max_size=40, unique_by=lambda t: t[0]),
    st.integers(1, 400), st.integers(0, 500), st.randoms(),
)  # fmt: skip
def test_every_hit_is_in_exactly_one_locus_of_allowed_width(genome, hits, flank, extra, random):
    own = LociSettings(flank=flank, max_width=2 * flank + extra)
    sumstats = table([("chr2", pos, z / 10) for pos, z in hits])
    loci = find_loci(sumstats, genome, own)
    for before, after in pairwise(loci):
        assert before.end <= after.start
    for locus in loci:
        assert 0 <= locus.start < locus.end <= LENGTH
        assert locus.end - locus.start <= own.max_width
    significant = sumstats.loc[sumstats["neg_log10_p"] >= -np.log10(own.p_threshold), "pos"]
    assert all(sum(i.start < pos <= i.end for i in loci) == 1 for pos in significant)
    assert all(((significant > i.start) & (significant <= i.end)).any() for i in loci)
    random.shuffle(hits)
    assert find_loci(table([("chr2", pos, z / 10) for pos, z in hits]), genome, own) == loci


@pytest.mark.parametrize(
    ("own", "message"),
    [(LociSettings(flank=100, max_width=199), "max_width: 199 is less than twice loci.flank"),
     (LociSettings(flank=0, max_width=1000), "flank: 0 is below 1")],
)  # fmt: skip
def test_settings_that_cannot_be(genome, own, message):
    with pytest.raises(InputError, match=message):
        find_loci(table([("chr2", 1000, 9.0)]), genome, own)


def test_names_do_not_depend_on_how_the_fasta_writes_chromosomes():
    assert Interval("chr17", 5, 9).name == Interval("17", 5, 9).name == "chr17_5_9"
    assert Interval("X", 5, 9).name == "chrX_5_9"


def test_batches_depend_on_the_name_alone():
    assert [batch_of("chr17_118965_1119162", n) for n in (1, 2, 7)] == [0, 1, 4]
    batches = [batch_of(f"chr1_{i}_{i + 10}", 4) for i in range(400)]
    assert min(batches.count(b) for b in range(4)) > 60


def test_a_bed_is_read_sorted_with_names_of_its_coordinates(genome, tmp_path):
    bed = tmp_path / "loci.bed"
    bed.write_text("# comment\ntrack name=x\n\n1\t10\t20\tmine\t5\r\nchr2 300 400\n2\t100\t350\n")
    assert [i.name for i in read_bed(bed, genome)] == ["chr2_100_350", "chr2_300_400", "chr1_10_20"]
    assert [i.chrom for i in read_bed(bed, genome)] == ["chr2", "chr2", "chr1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "loci.bed: no such file"),
        ("", "loci.bed: no interval"),
        ("# only a comment\n", "no interval"),
        ("chr2\t5\n", "line 1: 'chr2 5' is not chromosome, start"),
        ("chr2\t5\t9\nchr2\ta\t9\n", "line 2: .* is not chromosome, start"),
        ("chr2\t-5\t9\n", "is not chromosome, start"),
        ("chr2\t1e3\t2e3\n", "is not chromosome, start"),
        ("chr2\t1.5\t20\n", "is not chromosome, start"),
        ("chrom\tstart\tend\n", "line 1: .* is not chromosome"),
        ("chr2,5,9\n", "is not chromosome"),
        ("chr3\t5\t9\n", "line 1: .*g.fa has no contig 'chr3'"),
        ("chr2\t9\t9\n", r"9-9 must have start < end \(which holds no base"),
        ("chr2\t10\t9\n", "10-9 must have start < end"),
        ("chr1\t10\t501\n", "10-501 must have start < end <= 500"),
        ("chr2\t5\t9\n2\t5\t9\n", "line 2: chr2_5_9 is there twice"),
    ],
)
def test_bad_beds_are_named(genome, tmp_path, text, message):
    bed = tmp_path / "loci.bed"
    if text is not None:
        bed.write_text(text)
    with pytest.raises(InputError, match=message):
        read_bed(bed, genome)


def test_tables_of_loci_and_their_variants(genome, caplog):
    sumstats = table(
        [("chr2", 100, 1.0), ("chr2", 101, -9.0), ("chr2", 200, 3.0), ("chr2", 201, 8.0), ("chr1", 5, 2.0)]
    )
    intervals = [
        Interval("chr2", 100, 200),
        Interval("chr2", 150, 300),
        Interval("chr2", 5000, 6000),
        Interval("chr1", 0, 9),
    ]
    loci, parts = describe_loci(intervals, sumstats, 3)
    loci = LOCI.checked(loci, "loci")
    assert loci["variants"].to_list() == [2, 2, 0, 1]
    assert loci["lead_variant"].to_list()[:2] == ["chr2:101:A:G", "chr2:201:A:G"]
    assert loci["lead_z"].to_list()[:2] == [-9.0, 8.0]
    assert loci["lead_neg_log10_p"].to_list()[:2] == [9.0, 8.0]
    assert loci["lead_variant"].isna().to_list() == [False, False, True, False]
    assert loci["note"].isna().to_list() == [True, True, False, True]
    assert "chr2_5000_6000: no harmonised variant" in caplog.text
    assert len(parts) == 3
    for number, part in enumerate(parts):
        checked = LOCUS_VARIANTS.checked(part, "part")
        own = loci[(loci["batch"] == number) & (loci["variants"] > 0)]
        assert list(dict.fromkeys(checked["locus"])) == own["locus"].to_list()
        assert len(checked) == own["variants"].sum()
    together = pd.concat(parts).set_index("locus")
    assert together.loc["chr2_100_200", "pos"].to_list() == [101, 200]
    assert together.loc["chr2_150_300", "pos"].to_list() == [200, 201]


def test_without_loci_the_tables_are_empty_and_whole(genome):
    loci, parts = describe_loci([], table([("chr2", 100, 1.0)]), 2)
    assert LOCI.checked(loci, "loci").empty
    assert all(LOCUS_VARIANTS.checked(part, "part").empty for part in parts)
    assert len(parts) == 2


def test_a_new_locus_leaves_the_other_batches_as_they_are(genome):
    sumstats = table([("chr2", pos, 9.0) for pos in range(100, 9900, 700)])
    intervals = find_loci(sumstats, genome, SETTINGS)
    _, before = describe_loci(intervals[:-1], sumstats, 5)
    _, after = describe_loci(intervals, sumstats, 5)
    changed = [not old.equals(new) for old, new in zip(before, after, strict=True)]
    assert sum(changed) == 1
    assert changed[batch_of(intervals[-1].name, 5)]


def regions(*places):
    return [Region("chr2", start, end, f"region {start}", "test") for start, end in places]


def test_an_excluded_region_ends_windows_and_holds_no_lead(genome):
    lines = [("chr2", 1000, 9.0), ("chr2", 1060, 12.0), ("chr2", 1500, 8.0)]
    intervals = find_loci(table(lines), genome, SETTINGS, regions((1050, 1450)))
    assert [(i.start, i.end, i.note) for i in intervals] == [
        (900, 1050, "ends at region 1050"), (1450, 1600, "ends at region 1050"),
    ]  # fmt: skip
    assert find_loci(table(lines[1:2]), genome, SETTINGS, regions((1050, 1450))) == []
    assert find_loci(table(lines), genome, SETTINGS, regions((5000, 6000))) == find_loci(table(lines), genome, SETTINGS)


def blocks(tmp_path, text, **settings):
    (tmp_path / "blocks.bed").write_text(text)
    return LociSettings(flank=100, blocks=str(tmp_path / "blocks.bed"), **{"max_width": 1000, **settings})


def test_each_block_with_a_hit_is_a_locus(genome, tmp_path):
    own = blocks(tmp_path, "chr2\t0\t800\nchr2\t800\t1500\nchr2\t1500\t2000\nchr1\t0\t500\n")
    lines = [("chr2", 801, 9.0), ("chr2", 1400, 8.0), ("chr2", 1600, 3.0), ("chr1", 20, 9.0), ("chr2", 4000, 9.0)]
    intervals = find_loci(table(lines), genome, own)
    assert [(i.chrom, i.start, i.end, i.source, i.note) for i in intervals] == [
        ("chr2", 800, 1500, "block", ""),
        ("chr2", 3900, 4100, "window", "outside of all blocks"),
        ("chr1", 0, 500, "block", ""),
    ]


def test_a_block_is_cut_by_an_excluded_region_and_by_the_maximum_width(genome, tmp_path):
    own = blocks(tmp_path, "chr2\t0\t3000\n")
    lines = [("chr2", 1500, 12.0), ("chr2", 2900, 8.0)]
    intervals = find_loci(table(lines), genome, own)
    assert [(i.start, i.end, i.source) for i in intervals] == [(1000, 2000, "block"), (2800, 3000, "block")]
    assert "trimmed to max_width" in intervals[0].note
    assert "cut off from chr2_1000_2000" in intervals[1].note
    cut = find_loci(table(lines), genome, own, regions((1600, 2500)))
    assert [(i.start, i.end, i.note) for i in cut][1:] == [(2500, 3000, "ends at region 1600")]
    assert all(i.end <= 1600 or i.start >= 2500 for i in cut)


def test_blocks_must_not_overlap(genome, tmp_path):
    with pytest.raises(InputError, match=r"blocks.bed: the blocks chr2_0_800 and chr2_700_900 overlap"):
        find_loci(table([("chr2", 801, 9.0)]), genome, blocks(tmp_path, "chr2\t0\t800\nchr2\t700\t900\n"))


def test_a_bed_wins_over_excluded_regions_and_says_so(genome, tmp_path):
    (tmp_path / "loci.bed").write_text("chr2\t10\t200\nchr2\t300\t400\n")
    found = read_bed(tmp_path / "loci.bed", genome, regions((150, 250)))
    assert [i.note for i in found] == ["taken as the BED file says, although in region 150", ""]
    assert {i.source for i in found} == {"bed"}
    loci, _ = describe_loci(found, table([("chr2", 20, 9.0)]), 1)
    assert loci["source"].to_list() == ["bed", "bed"]
    assert loci["note"].to_list()[1] == "no harmonised variant in it"


@pytest.mark.slow
@given(
    st.lists(st.integers(1, 9_999), max_size=40, unique=True),
    st.lists(st.tuples(st.integers(0, 9_900), st.integers(1, 2_000)), max_size=4),
)
@settings(deadline=None)
def test_every_hit_is_in_one_locus_or_in_an_excluded_region(genome, positions, places):
    lines = [("chr2", pos, 8.0 + pos % 7) for pos in positions]
    excluded = regions(*sorted((start, min(start + width, LENGTH)) for start, width in places))
    intervals = find_loci(table(lines), genome, SETTINGS, excluded)
    for pos in positions:
        left_out = any(r.start < pos <= r.end for r in excluded)
        assert sum(i.start < pos <= i.end for i in intervals) == (0 if left_out else 1)
    for interval in intervals:
        assert interval.end - interval.start <= SETTINGS.max_width
        assert not any(r.start < interval.end and r.end > interval.start for r in excluded)
