"""Rule harmonise_sumstats: summary statistics on the alleles of the FASTA and the panel."""

from fineprior.files.logs import log_to
from fineprior.project.settings import HarmoniseSettings
from fineprior.steps.harmonise_sumstats import harmonise_sumstats

with log_to(snakemake.log[0], f"harmonise_sumstats {snakemake.wildcards.study}"):
    harmonise_sumstats(
        sumstats=snakemake.input.sumstats,
        fasta=snakemake.input.fasta,
        panel=snakemake.params.panel,
        samples=snakemake.input.samples or None,
        ld=snakemake.params.ld,
        chain=snakemake.input.chain or None,
        build=snakemake.params.build,
        source_build=snakemake.params.source_build,
        layout=snakemake.params.layout,
        sizes=snakemake.params.sizes,
        output=snakemake.output.sumstats,
        qc=snakemake.output.qc,
        dropped=snakemake.output.dropped,
        liftover=snakemake.output.liftover,
        settings=HarmoniseSettings(**snakemake.params.settings),
    )
