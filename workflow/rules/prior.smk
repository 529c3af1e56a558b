# From scores, annotations and the uniform fits to prior causal probabilities, and how much of them the data support.
rule compute_ld_scores:
    input:
        annotations=lambda wildcards: settings.priors.heritability_annotations.replace(
            "{chrom}", wildcards.chrom
        ),
        panel=panel_of_study,
        samples=people_of_study,
    output:
        ld_scores="<results>/{study}/prior/ld_scores/{chrom}.l2.ldscore.parquet",
        sizes="<results>/{study}/prior/ld_scores/{chrom}.l2.M",
    log:
        "<logs>/compute_ld_scores/{study}.{chrom}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
    params:
        contents=contents(
            lambda wildcards: settings.priors.heritability_annotations.replace(
                "{chrom}", wildcards.chrom
            ),
            panel_of_study,
            people_of_study,
        ),
        # of a function, for in text {chrom} would be replaced
        annotations=lambda wildcards: settings.priors.heritability_annotations,
        panel=param_of_study("ld_panel"),
        code=code_digest("compute_ld_scores"),
    script:
        "../../scripts/compute_ld_scores.py"


rule fit_heritability:
    input:
        unpack(panel_for_bins),
        sumstats="<results>/{study}/sumstats.parquet",
        variants=expand("<results>/{{study}}/loci/{batch}.tsv.gz", batch=BATCHES),
        annotations=files_by_chromosome("heritability_annotations"),
        ld_scores=ld_scores_of_annotations(),
        weights=files_by_chromosome("heritability_weights"),
    output:
        coefficients="<results>/{study}/prior/heritability_coefficients.tsv",
        heritability="<results>/{study}/prior/heritability.parquet",
    log:
        "<logs>/fit_heritability/{study}.log",
    benchmark:
        "<logs>/benchmarks/fit_heritability/{study}.tsv"
    conda:
        "../../envs/study.yaml"
    threads: 2
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
    params:
        contents=contents(
            panel_for_bins,
            files_by_chromosome("heritability_annotations"),
            files_by_chromosome("heritability_weights"),
            ld_scores_of_annotations(),
        ),
        files=patterns_of_heritability,
        bins=settings.priors.heritability_bins,
        max_ratio=settings.priors.max_ratio,
        code=code_digest("fit_heritability"),
    script:
        "../../scripts/fit_heritability.py"


rule annotate_variants:
    input:
        variants="<results>/{study}/loci/{batch}.tsv.gz",
        files=annotation_files,
        heritability=(
            "<results>/{study}/prior/heritability.parquet"
            if settings.priors.source == "heritability"
            else []
        ),
        causal=(
            "<results>/{study}/causal_probabilities.tsv.gz"
            if settings.priors.source == "supervised"
            and not settings.priors.supervised
            else []
        ),
    output:
        annotations="<results>/{study}/annotations/{batch}.tsv.gz",
    log:
        "<logs>/annotate_variants/{study}.{batch}.log",
    conda:
        "../../envs/annotate.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        contents=contents(annotation_files),
        rows=[as_params(row) for row in project.annotations],
        source=source_of_prior(),
        code=code_digest("annotate_variants"),
    script:
        "../../scripts/annotate_variants.py"


rule find_signals:
    input:
        variants="<results>/{study}/loci/{batch}.tsv.gz",
        ld="<results>/{study}/ld/{batch}.npz",
    output:
        fits="<results>/{study}/signals/{batch}.npz",
    log:
        "<logs>/find_signals/{study}.{batch}.log",
    conda:
        "../../envs/finemap.yaml"
    threads: 1
    resources:
        mem_mb=memory_of_ld,
        runtime=growing(120),
    params:
        settings=settings_of_signals,
        code=code_digest("find_signals"),
    script:
        "../../scripts/find_signals.py"


rule fit_prior:
    input:
        **values_of_variants(
            lambda pattern: expand(
                pattern.replace("{study}", "{{study}}"), batch=BATCHES
            )
        ),
        variants=expand("<results>/{{study}}/loci/{batch}.tsv.gz", batch=BATCHES),
        ld=expand("<results>/{{study}}/ld/{batch}.npz", batch=BATCHES),
        fits=expand("<results>/{{study}}/signals/{batch}.npz", batch=BATCHES),
    output:
        enrichment=item(
            "<results>/{study}/prior/enrichment.tsv",
            "enrichment",
            "Prior",
            "enrichment",
        ),
        coefficients="<results>/{study}/prior/coefficients.tsv",
        verdict=item(
            "<results>/{study}/prior/verdict.tsv", "verdict", "Prior", "verdict"
        ),
        steps=item(
            "<results>/{study}/prior/steps.tsv",
            "prior_steps",
            "Prior",
            "steps of the prior",
        ),
    log:
        "<logs>/fit_prior/{study}.log",
    benchmark:
        "<logs>/benchmarks/fit_prior/{study}.tsv"
    conda:
        "../../envs/finemap.yaml"
    threads: 2
    resources:
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        settings=as_params(settings.priors),
        finemap=settings_of_signals,
        kinds=annotation_kinds(),
        seed=settings.seed,
        remark=remark_on_prior,
        code=code_digest("fit_prior"),
    script:
        "../../scripts/fit_prior.py"


rule assign_prior:
    input:
        unpack(evidence_for_prior),
        variants="<results>/{study}/loci/{batch}.tsv.gz",
    output:
        prior="<results>/{study}/prior/{prior}/{batch}.tsv.gz",
    log:
        "<logs>/assign_prior/{study}.{prior}.{batch}.log",
    conda:
        "../../envs/finemap.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(15),
    params:
        settings=settings_of_prior,
        kinds=kinds_of_prior,
        seed=settings.seed,
        code=code_digest("assign_prior"),
    script:
        "../../scripts/assign_prior.py"
