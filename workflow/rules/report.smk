# What leaves a study: the report, the methods paragraph, and results in the formats of other programs.
rule report:
    input:
        unpack(inputs.truth_tables),
        unpack(inputs.compared_windows),
        unpack(inputs.head_tables),
        **inputs.under_each_prior(
            variants="variants.tsv.gz",
            credible_sets="credible_sets.tsv",
            status="loci_status.tsv",
        ),
        qc="<results>/{study}/sumstats_qc.tsv",
        loci="<results>/{study}/loci.tsv",
        enrichment="<results>/{study}/prior/enrichment.tsv",
        steps="<results>/{study}/prior/steps.tsv",
        verdict="<results>/{study}/prior/verdict.tsv",
        comparison="<results>/{study}/comparison.tsv",
        shift="<results>/{study}/shift.tsv",
        fst=inputs.fst_of_panel_ld,
    output:
        page=item(
            "<results>/{study}/report.html",
            "report",
            "Report",
            "the study in one page",
        ),
    log:
        "<logs>/report/{study}.log",
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        settings=as_params(settings.report),
        min_r=settings.evaluation.min_r,
        code=code_digest("report"),
    script:
        "../../scripts/report.py"


rule methods:
    input:
        sumstats=inputs.given_sumstats,
        meta=inputs.given_metadata,
        qc="<results>/{study}/sumstats_qc.tsv",
        loci="<results>/{study}/loci.tsv",
        status=f"<results>/{{study}}/{EXPORTED_PRIOR}/loci_status.tsv",
        credible_sets=f"<results>/{{study}}/{EXPORTED_PRIOR}/credible_sets.tsv",
        uniform_sets="<results>/{study}/uniform/credible_sets.tsv",
        verdict="<results>/{study}/prior/verdict.tsv",
        head_metrics=inputs.head_metrics,
        fst=inputs.fst_of_panel_ld,
    output:
        page=item(
            "<results>/{study}/methods.md", "methods", "Report", "methods paragraph"
        ),
    log:
        "<logs>/methods/{study}.log",
    localrule: True
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=2000,
        runtime=5,
    params:
        contents=contents(inputs.given_sumstats),
        settings=params_of.methods,
        source=params_of.source,
        layout=params_of.layout,
        sizes=params_of.sizes,
        versions=params_of.versions,
        code=code_digest("methods"),
    script:
        "../../scripts/methods.py"


# `exports` in the config names the formats.
rule export:
    input:
        unpack(inputs.export),
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
        model=params_of.model,
        build=settings.genome.build,
        code=code_digest("export"),
    script:
        "../../scripts/export.py"
