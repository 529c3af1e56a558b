"""Rule summarise_calibration: all simulated studies of a study in two tables and a figure."""

from fineprior.files.logs import log_to
from fineprior.steps.summarise_calibration import summarise_calibration

with log_to(snakemake.log[0], f"summarise_calibration {snakemake.wildcards.study}"):
    summarise_calibration(
        counts=list(snakemake.input.counts),
        bins=list(snakemake.input.bins),
        **{name: snakemake.output[name] for name in ("summary", "pip", "plot")},
        seed=snakemake.params.seed,
    )
