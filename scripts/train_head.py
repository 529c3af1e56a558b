"""Rule train_head: a head on the frozen backbone."""

import os

# One thread: with more, sums are in another order and results are other bytes. Batches run side by side instead.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from fineprior.foundation.logs import log_to
from fineprior.foundation.settings import HeadSettings, TrackSettings
from fineprior.steps.transfer import train_head

with log_to(snakemake.log[0], f"train_head {snakemake.wildcards.head}"):
    train_head(
        embeddings=snakemake.input.embeddings,
        bigwigs=list(snakemake.input.bigwigs),
        tracks=list(snakemake.params.tracks),
        head=snakemake.output.head,
        metrics=snakemake.output.metrics,
        history=snakemake.output.history,
        settings=HeadSettings(**snakemake.params.settings),
        targets=TrackSettings(**snakemake.params.targets),
        seed=snakemake.params.seed,
    )
