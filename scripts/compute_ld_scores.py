"""Rule compute_ld_scores: LD scores of the annotations of a chromosome, in the panel."""

from fineprior.files.logs import log_to
from fineprior.steps.fit_heritability import compute_ld_scores

with log_to(snakemake.log[0], f"compute_ld_scores {snakemake.wildcards.study} chromosome {snakemake.wildcards.chrom}"):
    compute_ld_scores(
        annotations=snakemake.params.annotations,
        chrom=snakemake.wildcards.chrom,
        panel=snakemake.params.panel,
        samples=snakemake.input.samples or None,
        output=snakemake.output.ld_scores,
        sizes=snakemake.output.sizes,
    )
