import gzip
import os

import numpy as np
import pysam
import pytest

from fineprior.files.errors import InputError
from fineprior.genome import fasta as module
from fineprior.genome.contigs import plain_name
from fineprior.genome.fasta import Genome, codes_of, reverse_complement


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text(">chr1 a comment\nACGTN\nacgtr\n>chrX\nTTTT\n>chrM\nGG\n")
    return path


def test_codes_are_those_of_the_sequence_and_4_beyond_it(fasta):
    with Genome(fasta) as genome:
        assert list(genome.contigs.items()) == [("chr1", 10), ("chrX", 4), ("chrM", 2)]
        assert genome.codes("chr1", 0, 10).tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4]
        assert genome.codes("chr1", -2, 3).tolist() == [4, 4, 0, 1, 2]
        assert genome.codes("chr1", 8, 13).tolist() == [3, 4, 4, 4, 4]
        assert genome.codes("chr1", 20, 22).tolist() == [4, 4]
        assert genome.codes("chr1", -5, -2).tolist() == [4, 4, 4]
        assert genome.codes("chr1", 3, 3).tolist() == []
        assert genome.codes("chr1", 0, 1).dtype == np.uint8


@pytest.mark.parametrize(
    ("name", "contig"),
    [("chr1", "chr1"), ("1", "chr1"), ("01", "chr1"), ("CHR1", "chr1"), ("23", "chrX"), ("x", "chrX"),
     ("chrX", "chrX"), ("MT", "chrM"), ("25", "chrM"), ("26", "chrM"), (" 1", "chr1")],
)  # fmt: skip
def test_chromosomes_are_found_under_their_usual_names(fasta, name, contig):
    with Genome(fasta) as genome:
        assert genome.resolve(name) == contig


def test_an_exact_name_goes_before_an_alias(tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text(">chr1\nAAAA\n>1\nCCCC\n>23\nGGGG\n")
    with Genome(path) as genome:
        assert genome.codes("1", 0, 1).tolist() == [1]
        assert genome.codes("chr1", 0, 1).tolist() == [0]
        assert genome.resolve("chrX") == "23"


def test_plink_counts_the_chromosomes_in_its_own_way(fasta):
    with Genome(fasta) as genome:
        assert [genome.find(name, plink=True) for name in ("23", "25", "XY", "PAR1", "26", "MT", "1")] == [
            "chrX", "chrX", "chrX", "chrX", "chrM", "chrM", "chr1",
        ]  # fmt: skip
    assert (plain_name("25"), plain_name("chr25", plink=True), plain_name("PAR2")) == ("MT", "X", "X")


@pytest.mark.parametrize("name", ["2", "chr10", "", "Y", "24", "nan"])
def test_an_absent_chromosome_is_named(fasta, name):
    with Genome(fasta) as genome:
        assert genome.find(name) is None
        with pytest.raises(InputError, match=f"no contig '{name}'; there are chr1, chrX, chrM"):
            genome.codes(name, 0, 1)


def test_bgzip_reads_as_plain(fasta, tmp_path):
    compressed = tmp_path / "genome.fa.gz"
    pysam.tabix_compress(str(fasta), str(compressed))
    with Genome(fasta) as plain, Genome(compressed) as bgzip:
        assert plain.codes("1", -1, 12).tolist() == bgzip.codes("1", -1, 12).tolist()
        assert plain.digest != bgzip.digest


def test_a_damaged_block_is_named_when_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LOOKED_AT", 2)
    rng = np.random.default_rng(1)
    (tmp_path / "g.fa").write_text(f">chr1\n{''.join(rng.choice(list('ACGT'), 300_000))}\n")
    path = tmp_path / "g.fa.gz"
    pysam.tabix_compress(str(tmp_path / "g.fa"), str(path))
    with Genome(path) as genome:
        assert genome.codes("1", 0, 300_000).max() < 4
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 40] = bytes(40)
    path.write_bytes(raw)
    os.utime(path, ns=(0, 0))
    with Genome(path) as genome:
        assert np.array_equal(genome.codes("1", 0, 60_000)[:10], Genome(tmp_path / "g.fa").codes("1", 0, 10))
        with pytest.raises(InputError, match=r"g.fa.gz: .*damaged"):
            genome.codes("1", 0, 300_000)


def test_digest_follows_the_bytes(fasta, tmp_path):
    other = tmp_path / "other.fa"
    other.write_bytes(fasta.read_bytes())
    assert Genome(fasta).digest == Genome(other).digest
    other.write_bytes(fasta.read_bytes().replace(b"TTTT", b"TTTA"))
    assert Genome(fasta).digest != Genome(other).digest


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such file"), (b"", "not a FASTA file|no sequence"), (b"no fasta\n", "not a FASTA file|no sequence"),
     (gzip.compress(b">1\nACGT\n"), "plain or bgzip")],
)  # fmt: skip
def test_a_file_that_is_no_fasta_is_named(tmp_path, content, message):
    path = tmp_path / "bad.fa"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        Genome(path)
    assert "bad.fa" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_reverse_complement_is_its_own_inverse_and_keeps_n():
    codes = codes_of("ACGTNacgtn")
    assert reverse_complement(codes_of("AACGN")).tolist() == codes_of("NCGTT").tolist()
    assert reverse_complement(reverse_complement(codes)).tolist() == codes.tolist()
    stacked = np.stack([codes_of("ACG"), codes_of("TTT")])
    assert reverse_complement(stacked).tolist() == [codes_of("CGT").tolist(), codes_of("AAA").tolist()]


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("dress", "message"),
    [
        (lambda text: b"\xef\xbb\xbf" + text, r"g\.fa.*: begins with a byte-order mark; save it as UTF-8 without one"),
        (lambda text: text.replace(b"\n", b"\r"), r"g\.fa.*: lines end with CR alone; write them with LF"),
        (lambda text: text.decode().encode("utf-16"), r"g\.fa.*: text in UTF-16: save it as UTF-8"),
    ],
)
def test_text_that_htslib_cannot_read_is_named_also_beside_an_index(tmp_path, dress, message, packed, indexed):
    path, text = tmp_path / "g.fa", b">chr1\nACGT\nAC\n"
    if indexed:
        path.write_bytes(text)
        pysam.faidx(str(path))
    path.write_bytes(dress(text))
    if packed:
        pysam.tabix_compress(str(path), f"{path}.gz")
        path = path.with_name("g.fa.gz")
    with pytest.raises(InputError, match=message):
        Genome(path)
