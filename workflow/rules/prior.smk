# From scores, annotations and the uniform fits to prior causal probabilities, and how much of them the data support.
rule annotate_variants:
    input:
        variants="<results>/{study}/loci/{batch}.tsv.gz",
        files=annotation_files,
    output:
        annotations="<results>/{study}/annotations/{batch}.tsv.gz",
    log:
        "<logs>/annotate_variants/{study}.{batch}.log",
    conda:
        "../../envs/annotate.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        rows=[as_params(row) for row in project.annotations],
        source=source_of_prior(),
        code=code_digest("prior.annotate_variants"),
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
        mem_mb=settings.ld.max_memory_mb,
        runtime=120,
    params:
        settings=settings_of_signals,
        code=code_digest("prior.find_signals"),
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
        enrichment=report("<results>/{study}/prior/enrichment.tsv", category="Prior"),
        coefficients="<results>/{study}/prior/coefficients.tsv",
        verdict=report("<results>/{study}/prior/verdict.tsv", category="Prior"),
        steps=report("<results>/{study}/prior/steps.tsv", category="Prior"),
    log:
        "<logs>/fit_prior/{study}.log",
    benchmark:
        "<logs>/benchmarks/fit_prior/{study}.tsv"
    conda:
        "../../envs/finemap.yaml"
    threads: 2
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        settings=as_params(settings.priors),
        finemap=settings_of_signals,
        kinds=annotation_kinds(),
        seed=settings.seed,
        code=code_digest("prior.fit_prior"),
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
        mem_mb=4000,
        runtime=15,
    params:
        settings=settings_of_prior,
        kinds=kinds_of_prior,
        seed=settings.seed,
        code=code_digest("prior.assign_prior"),
    script:
        "../../scripts/assign_prior.py"
