"""Rule annotate_variants: annotations of the variants of a batch."""

from fineprior.files.logs import log_to
from fineprior.steps.annotate_variants import annotate_variants

with log_to(snakemake.log[0], f"annotate_variants {snakemake.wildcards.study} batch {snakemake.wildcards.batch}"):
    annotate_variants(
        variants=snakemake.input.variants,
        output=snakemake.output.annotations,
        rows=snakemake.params.rows,
        source=snakemake.params.source,
        heritability=snakemake.input.heritability or None,
        causal=snakemake.input.causal or None,
    )
