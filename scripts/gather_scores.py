"""Rule gather_scores: scores of all variants of a study, with quantiles and components."""

from fineprior.files.logs import log_to
from fineprior.project.settings import ScoreSettings
from fineprior.steps.score_variants import gather_scores

with log_to(snakemake.log[0], f"gather_scores {snakemake.wildcards.study}"):
    gather_scores(
        variants=list(snakemake.input.variants),
        scores=list(snakemake.input.scores),
        regions=snakemake.input.regions,
        output=snakemake.output.scores,
        context_length=snakemake.params.context_length,
        settings=ScoreSettings(**snakemake.params.settings),
    )
