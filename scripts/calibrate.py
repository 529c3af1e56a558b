"""Rule calibrate: one simulated study on a study's own LD and scores."""

import os

# Loci are fitted in processes of their own: each with one thread, whatever the rule has. Before numpy is loaded.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from fineprior.files.logs import log_to
from fineprior.project.settings import CalibrateSettings, FinemapSettings, PriorSettings
from fineprior.steps.calibrate import calibrate

given, params = snakemake.input, snakemake.params
with log_to(snakemake.log[0], "calibrate " + " ".join(snakemake.wildcards)):
    calibrate(
        question=snakemake.wildcards.ld,
        scenario=snakemake.wildcards.scenario,
        replicate=int(snakemake.wildcards.replicate),
        variants=given.variants,
        ld=given.ld,
        **{name: given.get(name) or None for name in ("scores", "annotations", "samples")},
        kinds=params.kinds,
        **{name: snakemake.output[name] for name in ("counts", "bins")},
        settings=CalibrateSettings(**params.settings),
        priors=PriorSettings(**params.priors),
        finemap=FinemapSettings(**params.finemap),
        signals=FinemapSettings(**params.signals),
        panel=params.panel,
        seed=params.seed,
        workers=snakemake.threads,
    )
