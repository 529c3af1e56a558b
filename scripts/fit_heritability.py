"""Rule fit_heritability: per-SNP heritabilities of the variants of all loci."""

from fineprior.files.logs import log_to
from fineprior.steps.fit_heritability import fit_heritability

with log_to(snakemake.log[0], f"fit_heritability {snakemake.wildcards.study}"):
    fit_heritability(
        sumstats=snakemake.input.sumstats,
        samples=snakemake.input.samples or None,
        **snakemake.params.files,
        variants=list(snakemake.input.variants),
        coefficients=snakemake.output.coefficients,
        output=snakemake.output.heritability,
        bins=snakemake.params.bins,
        max_ratio=snakemake.params.max_ratio,
        workers=snakemake.threads,
    )
