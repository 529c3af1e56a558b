"""Rule compare_priors: what each prior changed compared with uniform."""

from fineprior.files.logs import log_to
from fineprior.plan.results import under_each_prior
from fineprior.steps.compare_priors import compare_priors

with log_to(snakemake.log[0], f"compare_priors {snakemake.wildcards.study}"):
    compare_priors(
        variants=under_each_prior(snakemake.input, "variants"),
        credible_sets=under_each_prior(snakemake.input, "credible_sets"),
        output=snakemake.output.comparison,
    )
