"""Rule assess_shift: whether what the head was trained on is like what it scores."""

from fineprior.files.logs import log_to
from fineprior.steps.assess_shift import assess_shift

with log_to(snakemake.log[0], f"assess_shift {snakemake.wildcards.study}"):
    assess_shift(
        variants=list(snakemake.input.variants),
        scores=list(snakemake.input.scores),
        embeddings=list(snakemake.input.embeddings),
        fasta=snakemake.input.fasta,
        regions=snakemake.input.regions,
        region_embeddings=snakemake.input.region_embeddings,
        head=snakemake.input.head,
        output=snakemake.output.shift,
        context_length=snakemake.params.context_length,
        effect_variance=snakemake.params.effect_variance,
        seed=snakemake.params.seed,
        labels=snakemake.input.get("labels") or "",
    )
