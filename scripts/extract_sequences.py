"""Rule extract_sequences: slabs of the genome and the variants on them."""

from fineprior.files.logs import log_to
from fineprior.project.settings import WindowSettings
from fineprior.steps.score_variants import extract_sequences

with log_to(snakemake.log[0], f"extract_sequences {snakemake.wildcards.study} batch {snakemake.wildcards.batch}"):
    extract_sequences(
        variants=snakemake.input.variants,
        fasta=snakemake.input.fasta,
        output=snakemake.output.sequences,
        context_length=snakemake.params.context_length,
        windows=WindowSettings(**snakemake.params.windows),
    )
