"""Rule define_loci: loci of a study, in batches."""

from fineprior.files.logs import log_to
from fineprior.project.settings import LociSettings
from fineprior.steps.define_loci import define_loci

with log_to(snakemake.log[0], f"define_loci {snakemake.wildcards.study}"):
    define_loci(
        sumstats=snakemake.input.sumstats,
        bed=snakemake.input.get("bed"),
        fasta=snakemake.input.fasta,
        known_regions=snakemake.input.known_regions or None,
        output=snakemake.output.loci,
        excluded=snakemake.output.excluded,
        batches=snakemake.output.get("batches", []),
        dropped=snakemake.input.get("dropped"),
        lost=snakemake.output.get("lost", []),
        build=snakemake.params.build,
        settings=LociSettings(**snakemake.params.settings),
    )
