"""Rule fetch_backbone: a hub's backbone, once, with a check of its digest."""

from pathlib import Path

from fineprior.files.logs import log_to
from fineprior.steps.score_variants import fetch_backbone

with log_to(snakemake.log[0], f"fetch_backbone {snakemake.wildcards.backbone}"):
    fetch_backbone(folder=str(Path(snakemake.output.record).parent), **snakemake.params.source)
