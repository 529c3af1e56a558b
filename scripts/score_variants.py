"""Rule score_variants: what the head says of each variant."""

import os

# One thread: with more, sums are in another order and results are other bytes. Batches run side by side instead.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from fineprior.files.logs import log_to
from fineprior.project.settings import ScoreSettings
from fineprior.steps.score_variants import score_variants

with log_to(snakemake.log[0], f"score_variants {snakemake.wildcards.study} batch {snakemake.wildcards.batch}"):
    score_variants(
        variants=snakemake.input.variants,
        embeddings=snakemake.input.embeddings,
        head=snakemake.input.head,
        metrics=snakemake.input.metrics,
        output=snakemake.output.scores,
        settings=ScoreSettings(**snakemake.params.settings),
        min_r=snakemake.params.min_r,
    )
