"""Rule compute_ld: LD of a batch of loci from the panel."""

from fineprior.foundation.logs import log_to
from fineprior.steps.study import compute_ld

with log_to(snakemake.log[0], f"compute_ld {snakemake.wildcards.study} batch {snakemake.wildcards.batch}"):
    compute_ld(
        variants=snakemake.input.variants,
        panel=snakemake.input.panel[0].removesuffix(".bed"),
        output=snakemake.output.ld,
    )
