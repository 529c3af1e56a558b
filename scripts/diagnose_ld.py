"""Rule diagnose_ld: whether z and LD of each locus belong together."""

import os

# Loci are diagnosed in processes of their own: each with one thread, whatever the rule has. Before numpy is loaded.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from fineprior.files.logs import log_to
from fineprior.project.settings import FinemapSettings
from fineprior.steps.diagnose_ld import diagnose_ld

with log_to(snakemake.log[0], f"diagnose_ld {snakemake.wildcards.study} batch {snakemake.wildcards.batch}"):
    diagnose_ld(
        variants=snakemake.input.variants,
        ld=snakemake.input.ld,
        output=snakemake.output.diagnoses,
        settings=FinemapSettings(**snakemake.params.settings),
        workers=snakemake.threads,
    )
