"""Rule associate: association of each variant of a study's own genotypes with its trait."""

import os

# The regressions are many small products: BLAS gets the rule's threads. Before numpy is loaded.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(snakemake.threads)

from fineprior.files.logs import log_to
from fineprior.steps.associate import associate

with log_to(snakemake.log[0], f"associate {snakemake.wildcards.study}"):
    associate(
        genotypes=snakemake.params.genotypes,
        phenotype=snakemake.input.phenotype,
        covariates=snakemake.input.covariates or None,
        samples=snakemake.input.samples or None,
        build=snakemake.params.build,
        output=snakemake.output.sumstats,
        meta=snakemake.output.meta,
        people=snakemake.output.people,
    )
