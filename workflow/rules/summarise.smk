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
        mem_mb=growing(2000),
        runtime=growing(15),
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
        mem_mb=growing(2000),
        runtime=growing(15),
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
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=as_params(settings.report),
        code=code_digest("report.report"),
    script:
        "../../scripts/report.py"


rule methods:
    input:
        sumstats=of_study("sumstats"),
        meta=lambda wildcards: of_study("sumstats")(wildcards)
        and meta_of_study(wildcards),
        qc="<results>/{study}/sumstats_qc.tsv",
        loci="<results>/{study}/loci.tsv",
        status=f"<results>/{{study}}/{EXPORTED_PRIOR}/loci_status.tsv",
        credible_sets=f"<results>/{{study}}/{EXPORTED_PRIOR}/credible_sets.tsv",
        uniform_sets="<results>/{study}/uniform/credible_sets.tsv",
        verdict="<results>/{study}/prior/verdict.tsv",
        head_metrics=head_of_study("<results>/heads/{head}/metrics.tsv"),
    output:
        page=report("<results>/{study}/methods.md", category="Report"),
    log:
        "<logs>/methods/{study}.log",
    localrule: True
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=2000,
        runtime=5,
    params:
        settings=settings_of_methods,
        source=lambda wildcards: {
            name: str(value)
            for name, value in filled_columns(row_of(wildcards)).items()
        },
        layout=format_of_study,
        sizes=param_of_study("sizes"),
        versions={
            name: software_versions()[name] for name in ("fineprior", "snakemake")
        },
        code=code_digest("methods.methods"),
    script:
        "../../scripts/methods.py"


# Results in the form of another program; which ones, `exports` of the config says.
rule export:
    input:
        unpack(results_for_export),
    output:
        directory("<results>/{study}/export/{form}"),
    log:
        "<logs>/export/{study}.{form}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        model=lambda wildcards: settings_of_finemap(wildcards)["model"],
        build=settings.genome.build,
        code=code_digest("export.export"),
    script:
        "../../scripts/export.py"


# Of the whole project: it looks at every study's row and files, and is made anew when one of them is another one.
rule provenance:
    input:
        unpack(files_behind_results),
    output:
        config="<results>/provenance/config.yaml",
        sheets="<results>/provenance/sheets.yaml",
        files="<results>/provenance/files.tsv",
        software="<results>/provenance/software.tsv",
        code="<results>/provenance/code.tsv",
        modules="<results>/provenance/modules.tsv",
    log:
        "<logs>/provenance.log",
    localrule: True
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        settings=as_params(settings),
        sheets={
            "studies": [filled_columns(row) for row in project.studies.values()],
            "tracks": [as_params(track) for track in project.tracks],
        },
        roles=["weights", "genome", "regions", "tracks", "studies"],
        software=software_versions(),
        code_of_rules={
            step.split(".")[1]: code_digest(step)
            for steps in STAGES.values()
            for step in steps
        },
        code=code_digest("provenance.provenance"),
    script:
        "../../scripts/provenance.py"
