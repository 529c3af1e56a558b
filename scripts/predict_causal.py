"""Rule predict_causal: probabilities of a study's variants by the head on labelled variants."""

from fineprior.files.logs import log_to
from fineprior.steps.train_labels import predict_causal

with log_to(snakemake.log[0], f"predict_causal {snakemake.wildcards.study}"):
    predict_causal(
        variants=list(snakemake.input.variants),
        embeddings=list(snakemake.input.embeddings),
        head=snakemake.input.head,
        output=snakemake.output.probabilities,
    )
