"""Names of genome builds."""

_SAME = {"hg19": "grch37", "b37": "grch37", "hg38": "grch38", "b38": "grch38"}


def plain_build(name: str) -> str:
    """The build in one spelling: hg19 is grch37 and hg38 grch38, patches (GRCh38.p14) do not count."""
    plain = name.strip().lower().split(".p")[0]
    return _SAME.get(plain, plain)
