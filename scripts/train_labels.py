"""Rule train_labels: a head on labelled variants."""

from fineprior.files.logs import log_to
from fineprior.steps.train_labels import train_labels

with log_to(snakemake.log[0], "train_labels"):
    train_labels(
        labels=str(snakemake.input.labels),
        embeddings=snakemake.input.embeddings,
        head=snakemake.output.head,
        metrics=snakemake.output.metrics,
        calibration=snakemake.params.calibration,
    )
