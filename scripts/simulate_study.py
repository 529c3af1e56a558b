"""Rule simulate_study: the embedded study's panel, GWAS and truth."""

from fineprior.files.logs import log_to
from fineprior.project.settings import EmbeddedSettings
from fineprior.steps.simulate_study import simulate_study

with log_to(snakemake.log[0], "simulate_study"):
    simulate_study(
        motifs=snakemake.input.motifs,
        fasta=snakemake.input.fasta,
        panel=snakemake.output.panel[0].removesuffix(".bed"),
        sumstats=snakemake.output.sumstats,
        truth=snakemake.output.truth,
        settings=EmbeddedSettings(**snakemake.params.settings),
        seed=snakemake.params.seed,
    )
