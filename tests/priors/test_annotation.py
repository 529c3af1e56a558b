"""Annotations from files, against what can be counted by hand."""

import gzip

import numpy as np
import pandas as pd
import pyBigWig
import pytest

from fineprior.foundation.errors import InputError
from fineprior.priors.annotation import distance_to_tss, interval_overlap, track_signal

VARIANTS = pd.DataFrame({
    "chrom": ["chr1"] * 4 + ["chr2"], "pos": [10, 11, 20, 31, 5], "ref": ["A", "A", "ACGT", "A", "A"], "alt": "C",
})  # fmt: skip


def test_overlap_counts_positions_from_one_and_intervals_from_zero(tmp_path):
    # pos 10 is base 9; [10, 11) holds pos 11; the deletion at 20-23 reaches [22, 25); [0, 40) of chr3 is no matter
    path = tmp_path / "peaks.bed"
    path.write_text("# peaks\ntrack name=x\n1\t22\t25\nchr1\t10\t11\tname\nchr3\t0\t40\n")
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
        (interval_overlap, "a.bed", "chr1 5 9\n", "a.bed, line 1: chrom, start, end are needed"),
        (interval_overlap, "a.bed", "chr1\t9\t9\n", "a.bed, line 1: .* start below end"),
        (interval_overlap, "a.bed", "chr9\t5\t9\n", "a.bed: nothing on chromosome chr1 or any other"),
        (interval_overlap, "a.bed.gz", "not gzip", "a.bed.gz: not readable text"),
        (distance_to_tss, "a.gtf", "chr1\tx\ttranscript\n", "a.gtf, line 1: not a line of GTF"),
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
    assert "nothing on chromosomes 2" in caplog.text
