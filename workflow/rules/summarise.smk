# What the prior changed, whether it was right (where a truth is known), and the report.
rule compare_priors:
    input:
        **under_each_prior("variants.tsv.gz", "variants"),
        **under_each_prior("credible_sets.tsv", "credible_sets"),
    output:
        comparison=report("<results>/{study}/comparison.tsv", category="Prior"),
    log:
        "<logs>/compare_priors/{study}.log",
    conda:
        "../../envs/finemap.yaml"
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=code_digest("summarise.compare_priors"),
    script:
        "../../scripts/compare_priors.py"


# The only rule that may read the truth.
rule compare_truth:
    input:
        **under_each_prior("variants.tsv.gz", "variants"),
        **under_each_prior("credible_sets.tsv", "credible_sets"),
        truth=of_study("truth"),
    output:
        comparison=report("<results>/{study}/truth_comparison.tsv", category="Truth"),
        calibration=report("<results>/{study}/calibration.tsv", category="Truth"),
    log:
        "<logs>/compare_truth/{study}.log",
    conda:
        "../../envs/finemap.yaml"
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=code_digest("summarise.compare_truth"),
    script:
        "../../scripts/compare_truth.py"


rule report:
    input:
        unpack(truth_tables),
        unpack(compared_windows),
        **under_each_prior("variants.tsv.gz", "variants"),
        **under_each_prior("credible_sets.tsv", "credible_sets"),
        **under_each_prior("loci_status.tsv", "status"),
        qc="<results>/{study}/sumstats_qc.tsv",
        loci="<results>/{study}/loci.tsv",
        enrichment="<results>/{study}/prior/enrichment.tsv",
        steps="<results>/{study}/prior/steps.tsv",
        verdict="<results>/{study}/prior/verdict.tsv",
        comparison="<results>/{study}/comparison.tsv",
        head_metrics=head_of_study("<results>/heads/{head}/metrics.tsv"),
        history=head_of_study("<results>/heads/{head}/history.tsv"),
        baselines=head_of_study("<results>/heads/{head}/baselines.tsv"),
    output:
        page=report("<results>/{study}/report.html", category="Report"),
    log:
        "<logs>/report/{study}.log",
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=as_params(settings.report),
        code=code_digest("report.report"),
    script:
        "../../scripts/report.py"
