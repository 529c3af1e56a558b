"""Rule pretrain_masked: a backbone from scratch, by guessing hidden bases of the training regions."""

from pathlib import Path

from fineprior.files.logs import log_to
from fineprior.project.settings import MaskedSettings
from fineprior.steps.pretrain_masked import pretrain_masked

with log_to(snakemake.log[0], "pretrain_masked"):
    pretrain_masked(
        fasta=snakemake.input.fasta,
        regions=snakemake.input.regions,
        folder=str(Path(snakemake.output.config).parent),
        store=snakemake.resources.store,
        context_length=snakemake.params.context_length,
        settings=MaskedSettings(**snakemake.params.settings),
        seed=snakemake.params.seed,
        threads=snakemake.threads,
        code=snakemake.params.code,
    )
