"""Rule pretrain_backbone: train, measure and save the shipped backbone."""

from pathlib import Path

from fineprior.files.logs import log_to
from fineprior.project.settings import PretrainSettings
from fineprior.steps.pretrain_masked import pretrain_backbone

with log_to(snakemake.log[0], "pretrain_backbone"):
    pretrain_backbone(
        motifs=snakemake.input.motifs,
        dhs=snakemake.input.dhs,
        folder=str(Path(snakemake.output.config).parent),
        settings=PretrainSettings(**snakemake.params.settings),
        threads=snakemake.threads,
    )
