import gzip

import pytest

from fineprior.files.errors import InputError
from fineprior.sumstats.metadata import Metadata, SampleSizes, read_metadata


def read(path, content):
    path.with_name("g.tsv-meta.yaml").write_bytes(content)
    return read_metadata(path.with_name("g.tsv"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\xef\xbb\xbfsample_size: 5\r\ngenome_assembly: GRCh38\r\n", Metadata("GRCh38", False, 5.0)),
        (b"coordinate_system: 0-based", Metadata(None, True, None)),
        (b"genome_assembly: ''\nsample_size: NA", Metadata()),
        (b"sample_size: 2.0e+4", Metadata(None, False, 20000.0)),
    ],
)
def test_what_is_read(tmp_path, content, expected):
    assert read(tmp_path / "x", content) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"sample_size: 20,000", "sample_size is '20,000'; allowed: a number above 0"),
        (b"sample_size: .inf", "line 1: .inf is no number that can be used"),
        (b"sample_size: .nan", "line 1: .nan is no number that can be used"),
        (b"sample_size: " + b"9" * 5000, "line 1: 9+... has more digits"),
        (b"sample_size: -9", "sample_size is -9"),
        (b"sample_size: [1, 2]", "sample_size is a list"),
        (b"sample_size: 5\xff", "line 1: not UTF-8"),
        (b"\xff\xfes\0i\0", "not UTF-8"),
        (gzip.compress(b"sample_size: 5"), "not UTF-8"),
        (b"a: &a [*a", "alias "),
        (b"[" * 5000, "more than 20 lists"),
    ],
)
def test_what_cannot_be_is_one_line_with_the_file(tmp_path, content, message):
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "x", content)
    assert "g.tsv-meta.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sizes_of_a_study():
    assert SampleSizes().effective() is None
    assert SampleSizes(n=7).effective() == 7
    assert SampleSizes(cases=100, controls=300).effective() == 300
    with pytest.raises(InputError, match="n is nan; allowed: a number above 0"):
        SampleSizes(n=float("nan")).effective()
