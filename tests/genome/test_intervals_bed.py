import pytest

from fineprior.files.errors import InputError
from fineprior.genome.fasta import Genome
from fineprior.genome.intervals import read_intervals


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    path.write_text(f">chr2\n{'A' * 1000}\n>chr1\n{'C' * 500}\n")
    return Genome(path)


def test_intervals_are_in_the_order_of_the_file_with_the_fasta_s_names(genome, tmp_path):
    (tmp_path / "a.bed").write_bytes(b"\xef\xbb\xbf# comment\ntrack name=x\n\n1\t10\t20\tmine\t5\r\nchr2 300 400\n")
    assert read_intervals(tmp_path / "a.bed", genome) == [("chr1", 10, 20), ("chr2", 300, 400)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"chr2\t5\n", "a.bed, line 1: .* is not chromosome, start"),
        (b"chr9\t5\t6\n", "a.bed, line 1: .* has no contig 'chr9'"),
        (b"chr2\t5\t2000\n", r"must have start < end <= 1000 \(length of chr2\)"),
        (b"chr2\t5\t9\n2\t5\t9\n", "line 2: chr2_5_9 is there twice"),
        (b"chr2\t5\t9\t\xff\n", "a.bed: not a text file in UTF-8"),
        (b"#\n", "a.bed: no interval in this BED file"),
    ],
)
def test_bad_files_are_named(genome, tmp_path, content, message):
    (tmp_path / "a.bed").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_intervals(tmp_path / "a.bed", genome)
