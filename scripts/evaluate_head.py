"""Rule evaluate_head: a head beside simpler models, its learning curve, and cross-validation when asked for."""

import os

# One thread: with more, sums are in another order and results are other bytes. Batches run side by side instead.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from fineprior.files.logs import log_to
from fineprior.project.settings import BackboneSettings, EvaluationSettings, HeadSettings
from fineprior.steps.evaluate_head import evaluate_head

with log_to(snakemake.log[0], f"evaluate_head {snakemake.wildcards.head}"):
    evaluate_head(
        fasta=snakemake.input.fasta,
        regions=snakemake.input.regions,
        embeddings=snakemake.input.embeddings,
        bigwigs=list(snakemake.input.bigwigs),
        tracks=list(snakemake.params.tracks),
        head=snakemake.input.head,
        metrics=snakemake.input.metrics,
        history=snakemake.input.history,
        outputs={name: path for name, path in snakemake.output.items() if path},
        backbone=BackboneSettings(**snakemake.params.backbone),
        settings=HeadSettings(**snakemake.params.settings),
        evaluation=EvaluationSettings(**snakemake.params.evaluation),
        sheet=snakemake.params.targets,
        store=snakemake.resources.store,
        seed=snakemake.params.seed,
        threads=1,
    )
