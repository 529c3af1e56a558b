import pytest

from fineprior.files.errors import InputError
from fineprior.sumstats.located import check_assembly


@pytest.mark.parametrize(
    ("assembly", "build", "source_build"),
    [(None, "GRCh38", ""), ("hg38", "GRCh38", ""), ("GRCh38.p14", "hg38", ""), ("b37", "GRCh38", "hg19"),
     ("GRCh37", "", "")],
)  # fmt: skip
def test_builds_of_several_names(assembly, build, source_build):
    check_assembly("gwas.tsv", assembly, build, source_build)


@pytest.mark.parametrize(
    ("assembly", "build", "source_build", "message"),
    [
        ("GRCh37", "GRCh38", "", "gwas.tsv: genome_assembly is 'GRCh37' .*, but genome.build .* is 'GRCh38'; name"),
        ("GRCh38", "GRCh38", "hg19", "genome_assembly is 'GRCh38' .*, but `build` of the study is 'hg19'"),
    ],
)
def test_another_build_than_was_declared(assembly, build, source_build, message):
    with pytest.raises(InputError, match=message):
        check_assembly("gwas.tsv", assembly, build, source_build)
