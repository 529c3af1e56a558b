"""Rule select_motifs: the motifs that the shipped backbone knows."""

from fineprior.files.logs import log_to
from fineprior.steps.pretrain_masked import select_motifs

with log_to(snakemake.log[0], "select_motifs"):
    select_motifs(jaspar=snakemake.input.jaspar, motifs=snakemake.output.motifs)
