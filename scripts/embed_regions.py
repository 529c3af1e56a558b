"""Rule embed_regions: embeddings of the training regions."""

import os

# One thread: with more, sums are in another order and results are other bytes. Batches run side by side instead.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from fineprior.files.logs import log_to
from fineprior.project.settings import BackboneSettings
from fineprior.steps.train_head import embed_regions

with log_to(snakemake.log[0], "embed_regions"):
    embed_regions(
        fasta=snakemake.input.fasta,
        regions=snakemake.input.regions,
        output=snakemake.output.embeddings,
        store=snakemake.resources.store,
        backbone=BackboneSettings(**snakemake.params.backbone),
        batch_size=snakemake.resources.batch_size,
        threads=1,
        code=snakemake.params.code,
    )
