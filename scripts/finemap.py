"""Rule finemap: SuSiE on a batch of loci."""

import os

# Loci are fitted in processes of their own: each with one thread, whatever the rule has. Before numpy is loaded.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from fineprior.files.logs import log_to
from fineprior.project.settings import FinemapSettings
from fineprior.steps.finemap_batch import finemap

with log_to(
    snakemake.log[0],
    f"finemap {snakemake.wildcards.study} {snakemake.wildcards.prior} batch {snakemake.wildcards.batch}",
):
    finemap(
        variants=snakemake.input.variants,
        lost=snakemake.input.lost,
        ld=snakemake.input.ld,
        prior=snakemake.input.prior,
        diagnoses=snakemake.input.diagnoses,
        output=snakemake.output.variants,
        credible_sets=snakemake.output.credible_sets,
        status=snakemake.output.status,
        fits=snakemake.output.fits,
        workers=snakemake.threads,
        settings=FinemapSettings(**snakemake.params.settings),
        seed=snakemake.params.seed,
    )
