"""Rule fit_prior: enrichment of causal variants in the scores, and its verdict."""

from fineprior.foundation.logs import log_to
from fineprior.foundation.settings import PriorSettings
from fineprior.steps.prior import fit_prior

with log_to(snakemake.log[0], f"fit_prior {snakemake.wildcards.study}"):
    fit_prior(
        variants=list(snakemake.input.variants),
        scores=list(snakemake.input.scores),
        enrichment=snakemake.output.enrichment,
        verdict=snakemake.output.verdict,
        settings=PriorSettings(**snakemake.params.settings),
    )
