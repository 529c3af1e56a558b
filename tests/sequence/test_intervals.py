import gzip

import numpy as np
import pytest

from fineprior.foundation.errors import InputError
from fineprior.sequence.intervals import Intervals


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
    starts, ends = found.spans["1"]
    assert (starts[1:] > ends[:-1]).all()


def test_widened_ones_may_join():
    starts, ends = Intervals.of([("1", 10, 20), ("1", 40, 50), ("1", 200, 210)]).widened(12).spans["1"]
    assert (starts.tolist(), ends.tolist()) == ([0, 188], [62, 222])


@pytest.mark.parametrize("name", ["peaks.narrowPeak", "peaks.bed.gz"])
def test_reading(tmp_path, name):
    text = "track name=x\n# comment\nchr2\t5\t9\tpeak\t1000\nchr1 3 4\nchr1\t7\t7\n"
    (tmp_path / name).write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    spans = Intervals.read(tmp_path / name).spans
    assert {chrom: [part.tolist() for part in span] for chrom, span in spans.items()} == {
        "2": [[5], [9]],
        "1": [[3], [4]],
    }


def test_wrong_files(tmp_path):
    with pytest.raises(InputError, match=r"none\.bed: no such BED file"):
        Intervals.read(tmp_path / "none.bed")
    (tmp_path / "a.bed").write_text("chr1\t0\t5\nchr1\tx\t5\n")
    with pytest.raises(InputError, match=r"a\.bed, line 2: .* must begin with chrom, start, end"):
        Intervals.read(tmp_path / "a.bed")
    for name, raw in (("b.bed", gzip.compress(b"chr1\t0\t5\n")), ("c.bed.gz", b"chr1\t0\t5\n")):
        (tmp_path / name).write_bytes(raw)
        with pytest.raises(InputError, match=f"{name}: not a BED file .*gzip if and only if its name ends in .gz"):
            Intervals.read(tmp_path / name)
