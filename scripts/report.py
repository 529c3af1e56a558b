"""Rule report: the report page of a study."""

from fineprior.files.logs import log_to
from fineprior.plan.results import under_each_prior
from fineprior.project.settings import ReportSettings
from fineprior.steps.write_report import report

with log_to(snakemake.log[0], f"report {snakemake.wildcards.study}"):
    report(
        study=snakemake.wildcards.study,
        verdict=snakemake.input.verdict,
        enrichment=snakemake.input.enrichment,
        steps=snakemake.input.steps,
        loci=snakemake.input.loci,
        qc=snakemake.input.qc,
        comparison=snakemake.input.comparison,
        variants=under_each_prior(snakemake.input, "variants"),
        credible_sets=under_each_prior(snakemake.input, "credible_sets"),
        status=under_each_prior(snakemake.input, "status"),
        head_metrics=snakemake.input.head_metrics,
        baselines=snakemake.input.baselines,
        history=snakemake.input.history,
        **{name: snakemake.input[name] or None for name in ("curve", "folds", "scatter", "shift", "fst")},
        windows=snakemake.input.get("windows"),
        truth_comparison=snakemake.input.get("truth_comparison"),
        calibration=snakemake.input.get("calibration"),
        output=snakemake.output.page,
        settings=ReportSettings(**snakemake.params.settings),
        min_r=snakemake.params.min_r,
    )
