# What the prior changed, whether it was right (where a truth is known), whether the head fits, and the report.
rule compare_priors:
    input:
        **under_each_prior("variants.tsv.gz", "variants"),
        **under_each_prior("credible_sets.tsv", "credible_sets"),
    output:
        comparison=item(
            "<results>/{study}/comparison.tsv",
            "comparison",
            "Prior",
            "what it changed",
        ),
    log:
        "<logs>/compare_priors/{study}.log",
    conda:
        "../../envs/finemap.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        code=code_digest("compare_priors"),
    script:
        "../../scripts/compare_priors.py"


# The only rule that may read the truth.
rule compare_truth:
    input:
        **under_each_prior("variants.tsv.gz", "variants"),
        **under_each_prior("credible_sets.tsv", "credible_sets"),
        truth=of_study("truth"),
    output:
        comparison=item(
            "<results>/{study}/truth_comparison.tsv",
            "truth_comparison",
            "Calibration",
            "priors against the truth",
        ),
        calibration=item(
            "<results>/{study}/calibration.tsv",
            "calibration",
            "Calibration",
            "claimed and observed PIPs",
        ),
    log:
        "<logs>/compare_truth/{study}.log",
    conda:
        "../../envs/finemap.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        contents=contents(of_study("truth")),
        code=code_digest("compare_truth"),
    script:
        "../../scripts/compare_truth.py"


rule assess_shift:
    input:
        variants=expand("<results>/{{study}}/loci/{batch}.tsv.gz", batch=BATCHES),
        scores=expand("<results>/{{study}}/scores/{batch}.tsv.gz", batch=BATCHES),
        embeddings=expand("<results>/{{study}}/embeddings/{batch}.npz", batch=BATCHES),
        fasta=settings.genome.fasta,
        regions=settings.regions or [],
        region_embeddings="<results>/regions/embeddings.npz",
        head=head_of_study("<results>/heads/{head}/head.safetensors"),
        labels="<results>/labels/variant_head.npz" if settings.labels.variants else [],
    output:
        shift=item(
            "<results>/{study}/shift.tsv", "shift", "Head", "shift to scored windows"
        ),
    log:
        "<logs>/assess_shift/{study}.log",
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=memory_of_files(4000, 3, "embeddings", "region_embeddings", most=4000),
        runtime=growing(30),
    params:
        contents=contents(settings.genome.fasta, settings.regions),
        context_length=settings.backbone.context_length,
        effect_variance=settings.priors.effect_variance,
        seed=settings.seed,
        code=code_digest("assess_shift"),
    script:
        "../../scripts/assess_shift.py"


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
        curve=head_of_study("<results>/heads/{head}/learning_curve.tsv"),
        folds=head_of_study("<results>/heads/{head}/folds.tsv"),
        scatter=head_of_study("<results>/heads/{head}/scatter.tsv"),
        shift="<results>/{study}/shift.tsv",
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
        contents=contents(of_study("sumstats")),
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
        code=code_digest("methods"),
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
        code=code_digest("export"),
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
        contents=contents(files_behind_results),
        settings=as_params(settings),
        sheets={
            "studies": [filled_columns(row) for row in project.studies.values()],
            "tracks": [as_params(track) for track in project.tracks],
        },
        roles=["weights", "genome", "regions", "tracks", "studies"],
        software=software_versions(),
        code_of_rules={
            step: code_digest(step) for steps in STAGES.values() for step in steps
        },
        code=code_digest("provenance"),
    script:
        "../../scripts/provenance.py"
