"""Rule fit_prior: enrichment of causal variants in scores and annotations, and its verdict."""

import os

# Loci are fitted again in processes of their own. Before numpy is loaded.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from fineprior.files.logs import log_to
from fineprior.project.settings import FinemapSettings, PriorSettings
from fineprior.steps.fit_prior import fit_prior

with log_to(snakemake.log[0], f"fit_prior {snakemake.wildcards.study}"):
    fit_prior(
        variants=list(snakemake.input.variants),
        fits=list(snakemake.input.fits),
        ld=list(snakemake.input.ld),
        diagnoses=list(snakemake.input.diagnoses),
        scores=list(snakemake.input.get("scores", [])) or None,
        annotations=list(snakemake.input.get("annotations", [])) or None,
        kinds=snakemake.params.kinds,
        **{name: snakemake.output[name] for name in ("enrichment", "coefficients", "verdict", "steps")},
        settings=PriorSettings(**snakemake.params.settings),
        finemap=FinemapSettings(**snakemake.params.finemap),
        seed=snakemake.params.seed,
        workers=snakemake.threads,
        remark=snakemake.params.remark,
    )
