import pytest

from fineprior.project.sheets import plain_build


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("hg19", "grch37"), ("b37", "grch37"), ("GRCh37", "grch37"), ("GRCh37.p13", "grch37"), ("hg38", "grch38"),
        ("GRCh38.p14", "grch38"), (" GRCh38 ", "grch38"), ("synthetic", "synthetic"), ("", ""),
    ],
)  # fmt: skip
def test_names_of_one_build_are_one(name, plain):
    assert plain_build(name) == plain
