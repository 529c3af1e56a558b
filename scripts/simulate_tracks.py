"""Rule simulate_tracks: the embedded study's bigWig tracks."""

from fineprior.files.logs import log_to
from fineprior.project.settings import EmbeddedSettings
from fineprior.steps.simulate_study import simulate_tracks

with log_to(snakemake.log[0], "simulate_tracks"):
    simulate_tracks(
        motifs=snakemake.input.motifs,
        fasta=snakemake.input.fasta,
        bigwigs=list(snakemake.output.bigwigs),
        settings=EmbeddedSettings(**snakemake.params.settings),
        seed=snakemake.params.seed,
    )
