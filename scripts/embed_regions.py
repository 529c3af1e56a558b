"""Rule embed_regions: embeddings of the training regions."""

from fineprior.foundation.logs import log_to
from fineprior.foundation.settings import BackboneSettings
from fineprior.steps.transfer import embed_regions

with log_to(snakemake.log[0], "embed_regions"):
    embed_regions(
        fasta=snakemake.input.fasta,
        regions=snakemake.input.regions,
        output=snakemake.output.embeddings,
        store=snakemake.resources.store,
        backbone=BackboneSettings(**snakemake.params.backbone),
        batch_size=snakemake.resources.batch_size,
        threads=snakemake.threads,
        code=snakemake.params.code,
    )
