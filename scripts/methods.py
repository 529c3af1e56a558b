"""Rule methods: the methods of a study, as text for a paper."""

from fineprior.files.logs import log_to
from fineprior.project.settings import Settings, from_dict
from fineprior.steps.write_methods import methods

with log_to(snakemake.log[0], f"methods {snakemake.wildcards.study}"):
    methods(
        study=snakemake.wildcards.study,
        sumstats=snakemake.input.sumstats or None,
        qc=snakemake.input.qc,
        loci=snakemake.input.loci,
        status=snakemake.input.status,
        credible_sets=snakemake.input.credible_sets,
        uniform_sets=snakemake.input.uniform_sets,
        verdict=snakemake.input.verdict,
        head_metrics=snakemake.input.head_metrics,
        fst=snakemake.input.fst or None,
        output=snakemake.output.page,
        settings=from_dict(Settings, snakemake.params.settings),
        versions=snakemake.params.versions,
        source=snakemake.params.source,
        layout=snakemake.params.layout,
        sizes=snakemake.params.sizes,
    )
