"""Rule compare_panel: F_ST between GWAS and panel."""

from fineprior.files.logs import log_to
from fineprior.steps.compare_panel import compare_panel

with log_to(snakemake.log[0], f"compare_panel {snakemake.wildcards.study}"):
    compare_panel(
        sumstats=snakemake.input.sumstats,
        panel=snakemake.params.panel,
        samples=snakemake.input.samples or None,
        output=snakemake.output.fst,
    )
