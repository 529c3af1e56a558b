"""Rule embed_labels: embeddings of both alleles of each labelled variant."""

from fineprior.files.logs import log_to
from fineprior.project.settings import BackboneSettings, WindowSettings
from fineprior.steps.train_labels import embed_labels

with log_to(snakemake.log[0], "embed_labels"):
    embed_labels(
        labels=str(snakemake.input.labels),
        fasta=snakemake.input.fasta,
        output=snakemake.output.embeddings,
        store=snakemake.resources.store,
        backbone=BackboneSettings(**snakemake.params.backbone),
        windows=WindowSettings(**snakemake.params.windows),
        batch_size=snakemake.resources.batch_size,
        threads=snakemake.threads,
    )
