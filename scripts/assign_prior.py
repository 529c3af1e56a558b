"""Rule assign_prior: prior causal probabilities of a batch."""

from fineprior.foundation.logs import log_to
from fineprior.foundation.settings import PriorSettings
from fineprior.steps.prior import assign_prior

with log_to(
    snakemake.log[0],
    f"assign_prior {snakemake.wildcards.study} {snakemake.wildcards.prior} batch {snakemake.wildcards.batch}",
):
    assign_prior(
        prior=snakemake.wildcards.prior,
        variants=snakemake.input.variants,
        scores=snakemake.input.get("scores"),
        enrichment=snakemake.input.get("enrichment"),
        verdict=snakemake.input.get("verdict"),
        output=snakemake.output.prior,
        settings=PriorSettings(**snakemake.params.settings) if snakemake.params.settings else None,
        seed=snakemake.params.seed,
    )
