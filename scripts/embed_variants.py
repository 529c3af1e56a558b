"""Rule embed_variants: embeddings of both alleles of each variant."""

import os

# One thread: with more, sums are in another order and results are other bytes. Batches run side by side instead.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from fineprior.files.logs import log_to
from fineprior.project.settings import BackboneSettings, WindowSettings
from fineprior.steps.score_variants import embed_variants

with log_to(snakemake.log[0], f"embed_variants {snakemake.wildcards.study} batch {snakemake.wildcards.batch}"):
    embed_variants(
        sequences=snakemake.input.sequences,
        output=snakemake.output.embeddings,
        store=snakemake.resources.store,
        backbone=BackboneSettings(**snakemake.params.backbone),
        windows=WindowSettings(**snakemake.params.windows),
        head=str(snakemake.input.get("head") or ""),
        batch=int(snakemake.wildcards.batch),
        batch_size=snakemake.resources.batch_size,
        threads=1,
    )
