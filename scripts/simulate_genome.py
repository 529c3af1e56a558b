"""Rule simulate_genome: the embedded study's genome and training regions."""

from fineprior.files.logs import log_to
from fineprior.project.settings import EmbeddedSettings
from fineprior.steps.simulate_study import simulate_genome

with log_to(snakemake.log[0], "simulate_genome"):
    simulate_genome(
        motifs=snakemake.input.motifs,
        fasta=snakemake.output.fasta,
        regions=snakemake.output.regions,
        settings=EmbeddedSettings(**snakemake.params.settings),
        context_length=snakemake.params.context_length,
        target_bins=snakemake.params.target_bins,
        seed=snakemake.params.seed,
    )
