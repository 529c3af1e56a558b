"""Rule find_signals: SuSiE under the uniform prior, for what the enrichment is estimated on."""

import os

# Loci are fitted in processes of their own: each with one thread, whatever the rule has. Before numpy is loaded.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from fineprior.files.logs import log_to
from fineprior.project.settings import FinemapSettings
from fineprior.steps.fit_prior import find_signals

with log_to(snakemake.log[0], f"find_signals {snakemake.wildcards.study} batch {snakemake.wildcards.batch}"):
    find_signals(
        variants=snakemake.input.variants,
        ld=snakemake.input.ld,
        diagnoses=snakemake.input.diagnoses,
        output=snakemake.output.fits,
        settings=FinemapSettings(**snakemake.params.settings),
        workers=snakemake.threads,
    )
