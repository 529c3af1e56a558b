import os

import pysam
import pytest

from fineprior.files.errors import InputError
from fineprior.genome.fasta_index import known_lengths, read_index


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(">chr1 x\nACGTA\nCG\n>chr2\nTTTTT\n")
    pysam.faidx(str(path))
    return path


def test_the_end_of_a_sequence_is_that_of_its_last_base(fasta):
    text = fasta.read_text()
    assert [(line.name, line.length, text[line.end - 1 : line.end + 1]) for line in read_index(fasta)] == [
        ("chr1", 7, "G\n"), ("chr2", 5, "T\n"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1\t7\t8\t0\t1\n", "line 1: lines of 0 bases in 1 bytes cannot be"),
        ("chr1\t7\t8\t6\t5\n", "line 1: lines of 6 bases in 5 bytes cannot be"),
        ("chr1\t7\t8\t5\n", "line 1: 'chr1.7.8.5' is no name, length"),
        ("chr1\t7\t8\t5\t6\t7\n", "line 1: .* is no name, length"),
        ("chr1\t-7\t8\t5\t6\n", "line 1: .* is no name, length"),
        ("chr1\t7\tx\t5\t6\n", "line 1: .* is no name, length"),
        ("chr1\t7\t8.0\t5\t6\n", "line 1: .* is no name, length"),
        ("chr1\t99999999999999999999\t8\t5\t6\n", "line 1: .* is no name, length"),
        ("\t7\t8\t5\t6\n", "line 1: .* is no name, length"),
        ("chr1\t7\t8\t5\t6\nchr1\t7\t8\t5\t6\n", "line 2: sequence 'chr1' occurs twice"),
        ("chr1\t7\t8\t5\t6\nchr2\t7\t9\t5\t6\n", "sequences 'chr1' and 'chr2' overlap"),
        ("", "line 1: '' is no name, length"),
        ("chr1\t7\t8\t5\t6\nchr2\t5\t23\t5", "cut off within its last line"),
        ("\n", "line 1: '' is no name, length"),
        ("\x00\x01\n", "line 1: .* is no name, length"),
    ],
)
def test_malformed_indexes_are_named(fasta, text, message):
    (fasta.parent / "g.fa.fai").write_text(text)
    with pytest.raises(InputError, match=f"g.fa.fai.*{message}.*delete this file"):
        read_index(fasta)


def test_lengths_are_known_where_the_index_is_there_and_current(fasta):
    assert known_lengths(fasta) == {"chr1": 7, "chr2": 5}
    index = fasta.parent / "g.fa.fai"
    os.utime(index, ns=(0, fasta.stat().st_mtime_ns - 1))
    assert known_lengths(fasta) is None
    index.write_text("hello\n")
    assert known_lengths(fasta) is None
    index.unlink()
    assert known_lengths(fasta) is None
