"""Rule compare_truth: the priors compared with the simulated truth."""

from fineprior.files.logs import log_to
from fineprior.plan.results import under_each_prior
from fineprior.steps.compare_priors import compare_truth

with log_to(snakemake.log[0], f"compare_truth {snakemake.wildcards.study}"):
    compare_truth(
        variants=under_each_prior(snakemake.input, "variants"),
        credible_sets=under_each_prior(snakemake.input, "credible_sets"),
        truth=snakemake.input.truth,
        output=snakemake.output.comparison,
        calibration=snakemake.output.calibration,
    )
