"""Rule compare_windows: a sample of variants in windows of their own beside those that they share."""

import os

# One thread: with more, sums are in another order and results are other bytes. Batches run side by side instead.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from fineprior.files.logs import log_to
from fineprior.project.settings import BackboneSettings, ScoreSettings, WindowSettings
from fineprior.steps.score_variants import compare_windows

with log_to(snakemake.log[0], f"compare_windows {snakemake.wildcards.study}"):
    compare_windows(
        variants=list(snakemake.input.variants),
        scores=list(snakemake.input.scores),
        fasta=snakemake.input.fasta,
        head=snakemake.input.head,
        output=snakemake.output.comparison,
        backbone=BackboneSettings(**snakemake.params.backbone),
        windows=WindowSettings(**snakemake.params.windows),
        settings=ScoreSettings(**snakemake.params.settings),
        seed=snakemake.params.seed,
        threads=1,
    )
