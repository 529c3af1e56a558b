"""Rule finemap: SuSiE on a batch of loci."""

from fineprior.foundation.logs import log_to
from fineprior.foundation.settings import FinemapSettings
from fineprior.steps.finemap import finemap

with log_to(
    snakemake.log[0],
    f"finemap {snakemake.wildcards.study} {snakemake.wildcards.prior} batch {snakemake.wildcards.batch}",
):
    finemap(
        variants=snakemake.input.variants,
        ld=snakemake.input.ld,
        prior=snakemake.input.prior,
        output=snakemake.output.variants,
        credible_sets=snakemake.output.credible_sets,
        status=snakemake.output.status,
        fits=snakemake.output.fits,
        settings=FinemapSettings(**snakemake.params.settings),
    )
