# From scores, annotations and uniform fits to prior causal probabilities, and to how far the data support them.
rule annotate_variants:
    input:
        variants="<results>/{study}/loci/{batch}.tsv.gz",
        files=inputs.annotation_files,
        heritability=inputs.heritability,
        causal=inputs.causal_probabilities,
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
        contents=contents(inputs.annotation_files),
        rows=params_of.annotations,
        source=params_of.source_of_prior,
        code=code_digest("annotate_variants"),
    script:
        "../../scripts/annotate_variants.py"


rule find_signals:
    input:
        variants="<results>/{study}/loci/{batch}.tsv.gz",
        ld="<results>/{study}/ld/{batch}.npz",
        diagnoses="<results>/{study}/diagnoses/{batch}.npz",
    output:
        fits="<results>/{study}/signals/{batch}.npz",
    log:
        "<logs>/find_signals/{study}.{batch}.log",
    conda:
        "../../envs/finemap.yaml"
    threads: 1
    resources:
        mem_mb=memory_of_ld(settings.ld.max_memory_mb),
        runtime=growing(120),
    params:
        settings=params_of.signals,
        code=code_digest("find_signals"),
    script:
        "../../scripts/find_signals.py"


rule fit_prior:
    input:
        **inputs.values_of_all_variants,
        variants=expand("<results>/{{study}}/loci/{batch}.tsv.gz", batch=BATCHES),
        ld=expand("<results>/{{study}}/ld/{batch}.npz", batch=BATCHES),
        fits=expand("<results>/{{study}}/signals/{batch}.npz", batch=BATCHES),
        diagnoses=expand("<results>/{{study}}/diagnoses/{batch}.npz", batch=BATCHES),
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
        finemap=params_of.signals,
        kinds=params_of.kinds,
        seed=settings.seed,
        remark=params_of.remark,
        code=code_digest("fit_prior"),
    script:
        "../../scripts/fit_prior.py"


rule assign_prior:
    input:
        unpack(inputs.evidence),
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
        settings=params_of.prior,
        kinds=params_of.kinds_of_prior,
        seed=settings.seed,
        code=code_digest("assign_prior"),
    script:
        "../../scripts/assign_prior.py"
