"""Rule define_loci: loci of a study, in batches."""

from fineprior.foundation.logs import log_to
from fineprior.foundation.settings import LociSettings
from fineprior.steps.study import define_loci

with log_to(snakemake.log[0], f"define_loci {snakemake.wildcards.study}"):
    define_loci(
        sumstats=snakemake.input.sumstats,
        bed=snakemake.input.bed or None,
        fasta=snakemake.input.fasta,
        output=snakemake.output.loci,
        batches=list(snakemake.output.batches),
        settings=LociSettings(**snakemake.params.settings),
    )
