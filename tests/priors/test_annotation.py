"""Annotations from files, against what can be counted by hand."""

import gzip

import numpy as np
import pandas as pd
import pyBigWig
import pytest

from fineprior.files.errors import InputError
from fineprior.priors.annotation import distance_to_tss, interval_overlap, track_signal

VARIANTS = pd.DataFrame({
    "chrom": ["chr1"] * 4 + ["chr2"], "pos": [10, 11, 20, 31, 5], "ref": ["A", "A", "ACGT", "A", "A"], "alt": "C",
})  # fmt: skip
GTF = "chr1\tx\ttranscript\t{start}\t{end}\t.\t+\t.\tid\n"


def test_overlap_counts_positions_from_one_and_intervals_from_zero(tmp_path):
    # pos 10 is base 9; [10, 11) holds pos 11; the deletion at 20-23 reaches [22, 25); [0, 40) of chr3 is no matter
    path = tmp_path / "peaks.bed"
    path.write_text("# peaks\ntrack name=x\n1\t22\t25\n1 10 11 name\nchr3\t0\t40\n")
    np.testing.assert_array_equal(interval_overlap(VARIANTS, path), [0, 1, 1, 0, 0])


def test_overlap_with_nested_intervals_is_that_of_a_plain_search(tmp_path):
    rng = np.random.default_rng(1)
    starts, lengths = rng.integers(0, 900, 60), rng.integers(1, 90, 60)
    path = tmp_path / "peaks.bed.gz"
    with gzip.open(path, "wt") as handle:
        handle.writelines(f"chr1\t{s}\t{s + n}\n" for s, n in zip(starts, lengths, strict=True))
    variants = pd.DataFrame({"chrom": "chr1", "pos": rng.integers(1, 1000, 200), "ref": "A", "alt": "G"})
    expected = [((starts <= pos - 1) & (pos - 1 < starts + lengths)).any() for pos in variants["pos"]]
    np.testing.assert_array_equal(interval_overlap(variants, path), expected)


def test_distance_to_the_nearest_start_with_its_strand(tmp_path):
    bed = tmp_path / "genes.bed"
    bed.write_text("chr1\t0\t13\ta\t0\t+\nchr1\t14\t26\tb\t0\t-\n")  # starts at bases 0 and 25
    np.testing.assert_array_equal(distance_to_tss(VARIANTS, bed), [9, 10, 6, 5, np.nan])
    gtf = tmp_path / "genes.gtf"
    gtf.write_text(
        "chr1\tx\ttranscript\t1\t13\t.\t+\t.\tid\nchr1\tx\ttranscript\t15\t26\t.\t-\t.\tid\n"
        "chr1\tx\texon\t10\t12\t.\t+\t.\tid\n"
    )
    np.testing.assert_array_equal(distance_to_tss(VARIANTS, gtf), distance_to_tss(VARIANTS, bed))


@pytest.mark.parametrize("name", ["genes.gtf", "genes.gtf.gz", "genes.gff3"])
def test_a_gtf_of_any_make_is_the_same(tmp_path, name):
    lines = ["#!genome-build x", "", GTF.format(start=1, end=13).rstrip(), GTF.format(start=30, end=30).rstrip()]
    (tmp_path / "plain.gtf").write_text("\n".join(lines))
    expected = distance_to_tss(VARIANTS, tmp_path / "plain.gtf")
    np.testing.assert_array_equal(expected, [9, 10, 10, 1, np.nan])
    for text in ("\ufeff" + "\r\n".join(lines), "\r".join(lines), "\n".join([*lines, "##FASTA", ">chr1", "ACGT"])):
        for pack in (bytes, gzip.compress):
            (tmp_path / name).write_bytes(pack(text.encode()))
            np.testing.assert_array_equal(distance_to_tss(VARIANTS, tmp_path / name), expected)


def test_the_very_name_of_a_contig_goes_before_the_plain_one_in_a_track(tmp_path):
    path = str(tmp_path / "track.bw")
    with pyBigWig.open(path, "w") as track:
        track.addHeader([("1", 100), ("chr1", 100)])
        track.addEntries(["1", "chr1"], [0, 0], ends=[100, 100], values=[50.0, 5.0])
    assert track_signal(VARIANTS, path)[:4].tolist() == [5] * 4
    with pytest.raises(InputError, match=r"track.bw: '01' may mean '1' or 'chr1'"):
        track_signal(VARIANTS.assign(chrom="01"), path)


def test_signal_of_a_track(tmp_path):
    path = str(tmp_path / "track.bw")
    with pyBigWig.open(path, "w") as track:
        track.addHeader([("1", 22), ("chr2", 100)])
        track.addEntries(["1", "1"], [9, 19], ends=[10, 21], values=[3.0, 5.0])
    # the deletion at 20-23 has 5, 5 and no value; pos 31 lies beyond the contig
    np.testing.assert_array_equal(track_signal(VARIANTS, path), [3, np.nan, 5, np.nan, np.nan])


@pytest.mark.parametrize(
    ("read", "name", "text", "match"),
    [
        (interval_overlap, "a.bed", None, "a.bed: no such file"),
        (interval_overlap, "a.bed", "chr1 5\n", "a.bed, line 1: .* is not chromosome, start"),
        (interval_overlap, "a.bed", "chr1\t9\t9\n", "a.bed, line 1: 9-9 must have start < end"),
        (interval_overlap, "a.bed", "chr1\t\u00b2\t9\n", "a.bed, line 1: .* is not chromosome, start"),
        (interval_overlap, "a.bed", "track\n", "a.bed: no interval in this BED file"),
        (interval_overlap, "a.bed", "chr1\t5\t9\n1\t7\t9\n", "a.bed: 'chr1' may mean 'chr1' or '1'"),
        (distance_to_tss, "a.bed", "chr1\t5\t9\tn\t0\tplus\n", "a.bed, line 1: strand 'plus' .* must be"),
        (interval_overlap, "a.bed", "chr9\t5\t9\n", "a.bed: nothing on chromosome chr1 or any other"),
        (interval_overlap, "a.bed.gz", "not gzip", "a.bed.gz, line 1: 'not gzip' is not chromosome, start"),
        (distance_to_tss, "a.gtf", "chr1\tx\ttranscript\n", "a.gtf, line 1: not a line of GTF"),
        (distance_to_tss, "a.gtf", GTF.format(start=0, end=9), "a.gtf, line 1: 0-9 must be .* 1 <= start <= end"),
        (distance_to_tss, "a.gtf", GTF.format(start=9, end=8), "a.gtf, line 1: 9-8 must be .* 1 <= start <= end"),
        (distance_to_tss, "a.gff3", GTF.format(start="\u00b2", end=8), "a.gff3, line 1: .* must be whole numbers"),
        (
            distance_to_tss,
            "a.gtf",
            GTF.replace("transcript", "mRNA").format(start=1, end=8),
            r"a.gtf: no line of the type transcript .*; there are mRNA",
        ),
        (track_signal, "a.bw", "text", "a.bw: not a bigWig file"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, read, name, text, match):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=match):
        read(VARIANTS, tmp_path / name)


def test_chromosomes_without_anything_are_named(tmp_path, caplog):
    (tmp_path / "a.bed").write_text("chr1\t5\t9\n")
    interval_overlap(VARIANTS, tmp_path / "a.bed")
    assert "nothing on chromosomes chr2" in caplog.text
