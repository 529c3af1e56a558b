"""Rule gather: tables of all batches as one."""

from fineprior.files.logs import log_to
from fineprior.steps.finemap_batch import gather

with log_to(snakemake.log[0], f"gather {snakemake.wildcards.study} {snakemake.wildcards.prior}"):
    gather(
        loci=snakemake.input.loci,
        lost=list(snakemake.input.lost),
        variants=list(snakemake.input.variants),
        credible_sets=list(snakemake.input.credible_sets),
        status=list(snakemake.input.status),
        fits=list(snakemake.input.fits),
        variant_genes=snakemake.input.get("variant_genes"),
        locus_genes=snakemake.input.get("locus_genes"),
        output_variants=snakemake.output.variants,
        output_credible_sets=snakemake.output.credible_sets,
        output_status=snakemake.output.status,
        output_fits=snakemake.output.fits,
    )
