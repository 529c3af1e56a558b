"""Rule train_head: a head on the backbone, frozen or not."""

import os

# One thread: with more, sums are in another order and results are other bytes. Batches run side by side instead.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from fineprior.files.logs import log_to
from fineprior.project.settings import BackboneSettings, HeadSettings
from fineprior.steps.train_head import train_head

with log_to(snakemake.log[0], f"train_head {snakemake.wildcards.head}"):
    train_head(
        fasta=snakemake.input.fasta,
        regions=snakemake.input.regions,
        embeddings=snakemake.input.embeddings,
        bigwigs=list(snakemake.input.bigwigs),
        tracks=list(snakemake.params.tracks),
        outputs=dict(snakemake.output.items()),
        store=snakemake.resources.store,
        settings=HeadSettings(**snakemake.params.settings),
        backbone=BackboneSettings(**snakemake.params.backbone),
        sheet=snakemake.params.targets,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        code=snakemake.params.code,
    )
