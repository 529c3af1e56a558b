"""Rule compare_windows: a sample of variants in windows of their own beside those that they share."""

from fineprior.foundation.logs import log_to
from fineprior.foundation.settings import BackboneSettings, ScoreSettings, WindowSettings
from fineprior.steps.annotate import compare_windows

with log_to(snakemake.log[0], f"compare_windows {snakemake.wildcards.study}"):
    compare_windows(
        variants=list(snakemake.input.variants),
        scores=list(snakemake.input.scores),
        fasta=snakemake.input.fasta,
        head=snakemake.input.head,
        output=snakemake.output.comparison,
        backbone=BackboneSettings(**snakemake.params.backbone),
        windows=WindowSettings(**snakemake.params.windows),
        settings=ScoreSettings(**snakemake.params.settings),
        seed=snakemake.params.seed,
        threads=snakemake.threads,
    )
