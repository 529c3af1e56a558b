import gzip

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.genome.contigs import Contigs
from fineprior.genome.intervals import Intervals


def test_covered_bases_are_those_of_a_mask_of_bases():
    rng = np.random.default_rng(1)
    starts = rng.integers(0, 900, 40)
    rows = [("chr1", int(start), int(start + rng.integers(1, 60))) for start in starts]
    mask = np.zeros(1000, bool)
    for _, start, end in rows:
        mask[start:end] = True
    found = Intervals.of(rows)
    begin = rng.integers(0, 950, 100)
    covered = found.covered(np.full(100, "1"), begin, 50)
    assert covered.tolist() == [int(mask[start : start + 50].sum()) for start in begin]
    assert np.array_equal(found.inside("chr1", 100, 800), mask[100:800])
    assert not found.covered(np.full(3, "chr2"), begin[:3], 50).any()
    starts, ends = found.spans["chr1"]
    assert (starts[1:] > ends[:-1]).all()


def test_widened_ones_may_join():
    starts, ends = Intervals.of([("1", 10, 20), ("1", 40, 50), ("1", 200, 210)]).widened(12).spans["1"]
    assert (starts.tolist(), ends.tolist()) == ([0, 188], [62, 222])


@pytest.mark.parametrize("name", ["peaks.narrowPeak", "peaks.bed.gz"])
def test_reading(tmp_path, name):
    text = "track name=x\n# comment\nchr2\t5\t9\tpeak\t1000\nchr1 3 4\n"
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    spans = Intervals.read(tmp_path / name).spans
    assert {chrom: [part.tolist() for part in span] for chrom, span in spans.items()} == {
        "chr2": [[5], [9]],
        "chr1": [[3], [4]],
    }


def test_wrong_files(tmp_path):
    with pytest.raises(InputError, match=r"none\.bed: no such file"):
        Intervals.read(tmp_path / "none.bed")
    (tmp_path / "a.bed").write_text("chr1\t0\t5\nchr1\tx\t5\n")
    with pytest.raises(InputError, match=r"a\.bed, line 2: .* is not chromosome, start"):
        Intervals.read(tmp_path / "a.bed")
    (tmp_path / "a.bed").write_text("chr1\t0\t5\nchr1\t7\t6\n")
    with pytest.raises(InputError, match=r"a\.bed, line 2: 7-6 must have start < end"):
        Intervals.read(tmp_path / "a.bed")
    (tmp_path / "a.bed").write_text("# nothing\n")
    with pytest.raises(InputError, match=r"a\.bed: no interval"):
        Intervals.read(tmp_path / "a.bed")


def test_what_the_name_says_of_compression_is_no_matter(tmp_path):
    for name, raw in (("b.bed", gzip.compress(b"chr1\t0\t5\n")), ("c.bed.gz", b"chr1\t0\t5\n")):
        (tmp_path / name).write_bytes(raw)
        assert Intervals.read(tmp_path / name).covered(np.array(["1"]), np.array([2]), 9).tolist() == [3]


def test_chromosomes_of_two_species_are_not_joined():
    found = Intervals.of([("chrX", 10, 20), ("X", 40, 50), ("chr1", 5, 6)], "peaks.bed")
    assert found.covered(np.array(["1"]), np.array([0]), 10).tolist() == [1]
    for name in ("chrX", "X", "23"):
        with pytest.raises(InputError, match=f"peaks.bed: '{name}' may mean 'chrX' or 'X'"):
            found.covered(np.array([name]), np.array([0]), 100)


def test_a_mask_is_held_against_the_genome(caplog):
    lengths = {"chr1": 100, "chr2": 50}
    genome = Contigs("g.fa", lengths)
    Intervals.of([("1", 10, 100), ("7", 0, 900)], "mask.bed").check(genome, lengths)
    assert not caplog.text
    Intervals.of([("1", 10, 20), ("1", 90, 101), ("2", 60, 70)], "mask.bed").check(genome, lengths)
    assert "mask.bed: 2 intervals reach beyond the end of their chromosome in g.fa, first on 1" in caplog.text
    with pytest.raises(
        InputError, match=r"mask.bed: none of its chromosomes \(NC_1.1\) is in g.fa, which has chr1, chr2"
    ):
        Intervals.of([("NC_1.1", 10, 20)], "mask.bed").check(genome, lengths)
