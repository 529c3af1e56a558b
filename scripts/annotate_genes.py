"""Rule annotate_genes: genes and consequences of the variants of a study's loci."""

from fineprior.files.logs import log_to
from fineprior.steps.annotate_genes import annotate_genes

with log_to(snakemake.log[0], f"annotate_genes {snakemake.wildcards.study}"):
    annotate_genes(
        genes=snakemake.input.genes,
        fasta=snakemake.input.fasta,
        loci=snakemake.input.loci,
        variants=list(snakemake.input.variants),
        output=snakemake.output.variants,
        output_genes=snakemake.output.genes,
    )
