import os
import struct

import numpy as np
import pysam
import pytest

from fineprior.files.errors import InputError
from fineprior.genome.fasta import Genome

OTHER = "sequence 'chr2' is not where this index says"


def sequence(seed, length):
    return "".join(np.random.default_rng(seed).choice(list("ACGT"), length))


def fasta_text(*lengths, width=60, end="\n"):
    parts = []
    for number, length in enumerate(lengths, 1):
        bases = sequence(number, length)
        lines = [bases[first : first + width] for first in range(0, length, width)]
        parts.append(f">chr{number} text{end}" + "".join(line + end for line in lines))
    return "".join(parts)


def indexed(path, text, index_of=None):
    """A FASTA file with its index, or with that of another text."""
    path.write_text(index_of or text, newline="")
    pysam.faidx(str(path))
    path.write_text(text, newline="")
    os.utime(f"{path}.fai", ns=(0, path.stat().st_mtime_ns))
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("tail", ["", "\n\n", None])
def test_an_index_of_its_file_passes(tmp_path, end, tail):
    text = fasta_text(150, 1, 60, 61, end=end)
    text = text.removesuffix(end) if tail is None else text + tail
    with Genome(indexed(tmp_path / "g.fa", text)) as genome:
        assert list(genome.contigs.values()) == [150, 1, 60, 61]


@pytest.mark.parametrize(
    ("text", "of", "message"),
    [
        (fasta_text(150, 60), fasta_text(150, 61), OTHER),
        (fasta_text(150, 61), fasta_text(150, 60), OTHER),
        (fasta_text(150, 6000), fasta_text(150, 60), OTHER),
        (fasta_text(150, 60), fasta_text(150, 6000), OTHER),
        (fasta_text(150), fasta_text(90), "sequence 'chr1' is not where"),
        (fasta_text(150, 60), fasta_text(150, 60, width=50), "sequence 'chr1' is not where"),
        (fasta_text(150, 60).replace("chr2", "chr3"), fasta_text(150, 60), OTHER),
        (fasta_text(150, 60), fasta_text(150, 60).replace("\n", "\r\n"), "sequence 'chr1' is not where"),
    ],
)
def test_the_index_of_another_file_is_named(tmp_path, text, of, message):
    path = indexed(tmp_path / "g.fa", text, of)
    with pytest.raises(InputError, match=f"g.fa.fai: {message}"):
        Genome(path)


def test_two_sequences_of_one_name_are_named(tmp_path):
    (tmp_path / "g.fa").write_text(fasta_text(90, 60) + ">chr1\nACGT\n")
    with pytest.raises(InputError, match=r"g.fa: two sequences are named 'chr1'"):
        Genome(tmp_path / "g.fa")


def test_a_sequence_that_the_index_has_not_is_warned_of_and_an_empty_one_is_no_matter(tmp_path, caplog):
    whole = fasta_text(90, 60, 70)
    Genome(indexed(tmp_path / "g.fa", whole.replace(">chr3", ">empty\n>empty2\n>chr3")))
    assert not caplog.text
    index = tmp_path / "g.fa.fai"
    index.write_text("".join(index.read_text().splitlines(keepends=True)[1:2]))
    with Genome(tmp_path / "g.fa") as genome:
        assert list(genome.contigs) == ["chr2"]
    assert "sequence 'chr1' (and 1 further) of the FASTA file is not in this index" in caplog.text


def aged(path):
    os.utime(f"{path}.fai", ns=(0, path.stat().st_mtime_ns - 10**9))
    return path


def test_an_older_index_is_made_anew_and_compared(tmp_path, caplog):
    caplog.set_level("INFO")
    whole = fasta_text(600, 300)
    with Genome(aged(indexed(tmp_path / "g.fa", whole))) as genome:
        assert genome.contigs["chr2"] == 300
    assert "is older than the FASTA file, and still its index" in caplog.text
    with pytest.raises(InputError, match=r"g.fa.fai: older than the FASTA file, .*\(sequence 'chr3'\)"):
        Genome(aged(indexed(tmp_path / "g.fa", whole + ">chr3\nACGT\n", whole)))
    lines = whole.splitlines(keepends=True)
    lines[2:4] = ["".join(lines[2:4]).replace("\n", "") + "\n\n"]  # a line of 120 bases, and none: ends where it did
    with pytest.raises(InputError, match="no index can be made of it"):
        Genome(aged(indexed(tmp_path / "g.fa", "".join(lines), whole)))


@pytest.fixture
def packed(tmp_path):
    (tmp_path / "g.fa").write_text(fasta_text(200_000, 150, 90_000, 1))
    pysam.tabix_compress(str(tmp_path / "g.fa"), str(tmp_path / "g.fa.gz"))
    with Genome(tmp_path / "g.fa.gz") as genome, Genome(tmp_path / "g.fa") as plain:
        assert genome.contigs == plain.contigs
    return tmp_path / "g.fa.gz"


@pytest.mark.slow
def test_the_index_of_another_bgzip_file_is_named(packed, tmp_path):
    (tmp_path / "g.fa").write_text(fasta_text(200_000, 160, 90_000, 1))
    pysam.tabix_compress(str(tmp_path / "g.fa"), str(packed), force=True)
    os.utime(packed, ns=(0, 0))
    with pytest.raises(InputError, match=r"g.fa.gz.gzi: not the index of this FASTA file"):
        Genome(packed)
    other = tmp_path / "other.fa.gz"
    other.write_bytes(packed.read_bytes())
    pysam.faidx(str(other))
    (tmp_path / "g.fa.gz.gzi").write_bytes((tmp_path / "other.fa.gz.gzi").read_bytes())
    with pytest.raises(InputError, match=f"g.fa.gz.fai: {OTHER}"):
        Genome(packed)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw[:-1],
        lambda raw: b"",
        lambda raw: b"hello",
        lambda raw: struct.pack("<Q", 1 << 60) + raw[8:],
        lambda raw: struct.pack("<Q", 1) + raw[8:24],
        lambda raw: raw[:8] + struct.pack("<QQ", 17, 65280) + raw[24:],
        lambda raw: raw[:8] + b"\xff" * 16 + raw[24:],
        lambda raw: raw[:-16] + struct.pack("<QQ", 10**9, 10**9),
    ],
    ids=["cut", "empty", "text", "count", "few", "place", "huge", "beyond"],
)
def test_a_malformed_index_of_blocks_is_named(packed, change):
    index = packed.with_name("g.fa.gz.gzi")
    index.write_bytes(change(index.read_bytes()))
    with pytest.raises(InputError, match=r"g.fa.gz.gzi: (not|.*of an earlier state).*delete that"):
        Genome(packed)


@pytest.mark.slow
def test_a_bgzip_fasta_that_is_cut_off_is_named(packed):
    packed.write_bytes(packed.read_bytes()[:-3000])
    os.utime(packed, ns=(0, 0))
    with pytest.raises(InputError, match=r"g.fa.gz"):
        Genome(packed)
