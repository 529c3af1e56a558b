"""Rule assign_prior: prior causal probabilities of a batch."""

from fineprior.files.logs import log_to
from fineprior.project.settings import PriorSettings
from fineprior.steps.fit_prior import assign_prior

FILES = ("scores", "annotations", "enrichment", "coefficients", "ld")

with log_to(
    snakemake.log[0],
    f"assign_prior {snakemake.wildcards.study} {snakemake.wildcards.prior} batch {snakemake.wildcards.batch}",
):
    assign_prior(
        prior=snakemake.wildcards.prior,
        variants=snakemake.input.variants,
        **{name: snakemake.input.get(name) for name in FILES},
        kinds=snakemake.params.kinds,
        output=snakemake.output.prior,
        settings=PriorSettings(**snakemake.params.settings) if snakemake.params.settings else None,
        seed=snakemake.params.seed,
    )
