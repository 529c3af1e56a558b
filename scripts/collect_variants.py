"""Rule collect_variants: the variants of a batch of loci that are known before the study's data are."""

from fineprior.files.logs import log_to
from fineprior.steps.define_loci import collect_variants

with log_to(snakemake.log[0], f"collect_variants {snakemake.wildcards.study} batch {snakemake.wildcards.batch}"):
    collect_variants(
        sumstats=snakemake.input.sumstats,
        fasta=snakemake.input.fasta,
        loci=snakemake.params.loci,
        output=snakemake.output.variants,
        dropped=snakemake.input.dropped,
        lost=snakemake.output.lost,
    )
