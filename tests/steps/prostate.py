"""The real prostate locus through the first steps, for the tests of each."""

from pathlib import Path

import pytest

from fineprior.files.tables import LOCI
from fineprior.project.settings import HarmoniseSettings, LociSettings
from fineprior.steps.define_loci import define_loci
from fineprior.steps.harmonise_sumstats import harmonise_sumstats

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
PROSTATE = SHARED / "prostate_chr17"
needs_prostate = pytest.mark.skipif(not PROSTATE.is_dir(), reason="acceptance data are not here")
WIDE = LociSettings(flank=500_000, max_width=1_000_000)


def harmonise_prostate(folder, settings=HarmoniseSettings(min_maf=0.0)):  # noqa: B008 (frozen)
    paths = {"output": "sumstats.parquet", "qc": "qc.tsv", "dropped": "dropped.tsv.gz", "liftover": "liftover.tsv"}
    harmonise_sumstats(
        sumstats=str(PROSTATE / "gwas.tsv.gz"), fasta=str(PROSTATE / "reference.fa"), panel=str(PROSTATE / "panel"),
        settings=settings, **{name: str(folder / file) for name, file in paths.items()},
    )  # fmt: skip
    return folder


def find_prostate(folder, settings=WIDE, bed=None):
    define_loci(
        sumstats=str(folder / "sumstats.parquet"), fasta=str(PROSTATE / "reference.fa"), bed=bed, settings=settings,
        output=str(folder / "loci.tsv"), excluded=str(folder / "excluded.tsv"),
        batches=[str(folder / f"{i}.tsv.gz") for i in range(2)],
    )  # fmt: skip
    return LOCI.read(folder / "loci.tsv")
