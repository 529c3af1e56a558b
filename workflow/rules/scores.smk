# From variants to scores: sequences, embeddings of both alleles (the only GPU work of a study), the head's scores.
# Only fetch_backbone needs a network, and only for a backbone of the hub: it runs where Snakemake does.
rule fetch_backbone:
    output:
        record=f"{HUB_BACKBONES}/{{backbone}}/{FETCHED}",
    log:
        "<logs>/fetch_backbone/{backbone}.log",
    retries: 2
    localrule: True
    conda:
        "../../envs/model.yaml"
    params:
        source={
            "name": settings.backbone.weights,
            "revision": settings.backbone.revision,
            "sha256": settings.backbone.sha256,
        },
        code=code_digest("fetch_backbone"),
    script:
        "../../scripts/fetch_backbone.py"


rule extract_sequences:
    input:
        variants="<results>/{study}/loci/{batch}.tsv.gz",
        fasta=settings.genome.fasta,
    output:
        sequences="<results>/{study}/sequences/{batch}.npz",
    log:
        "<logs>/extract_sequences/{study}.{batch}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=memory_of_files(2000, 10, "variants"),
        runtime=growing(30),
    params:
        contents=contents(settings.genome.fasta),
        context_length=settings.backbone.context_length,
        windows=as_params(settings.windows),
        code=code_digest("extract_sequences"),
    script:
        "../../scripts/extract_sequences.py"


rule embed_variants:
    input:
        sequences="<results>/{study}/sequences/{batch}.npz",
        weights=inputs.backbone,
        head=inputs.tuned_head,
    output:
        embeddings="<results>/{study}/embeddings/{batch}.npz",
    log:
        "<logs>/embed_variants/{study}.{batch}.log",
    benchmark:
        "<logs>/benchmarks/embed_variants/{study}.{batch}.tsv"
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=memory_of_windows(0, settings.backbone.context_length),
        runtime=growing(240),
        gpu=1,
        batch_size=0,
        store=settings.store,
    params:
        contents=contents(inputs.backbone),
        backbone=as_params(settings.backbone),
        windows=as_params(settings.windows),
        code=code_digest("embed_variants"),
    script:
        "../../scripts/embed_variants.py"


rule score_variants:
    input:
        variants="<results>/{study}/loci/{batch}.tsv.gz",
        embeddings="<results>/{study}/embeddings/{batch}.npz",
        head=inputs.head,
        metrics=inputs.head_metrics,
    output:
        scores="<results>/{study}/scores/{batch}.tsv.gz",
    log:
        "<logs>/score_variants/{study}.{batch}.log",
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=memory_of_files(2000, 3, "embeddings"),
        runtime=growing(30),
    params:
        settings=as_params(settings.scores),
        min_r=settings.evaluation.min_r,
        code=code_digest("score_variants"),
    script:
        "../../scripts/score_variants.py"


rule gather_scores:
    input:
        variants=expand("<results>/{{study}}/loci/{batch}.tsv.gz", batch=BATCHES),
        scores=expand("<results>/{{study}}/scores/{batch}.tsv.gz", batch=BATCHES),
        regions=inputs.regions,
    output:
        scores="<results>/{study}/scores.tsv.gz",
    log:
        "<logs>/gather_scores/{study}.log",
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=memory_of_files(4000, 10, "variants", "scores"),
        runtime=growing(30),
    params:
        contents=contents(settings.regions),
        settings=as_params(settings.scores),
        context_length=settings.backbone.context_length,
        code=code_digest("gather_scores"),
    script:
        "../../scripts/gather_scores.py"


# The report requires it where variants share windows (windows.max_offset above 0).
rule compare_windows:
    input:
        variants=expand("<results>/{{study}}/loci/{batch}.tsv.gz", batch=BATCHES),
        scores=expand("<results>/{{study}}/scores/{batch}.tsv.gz", batch=BATCHES),
        fasta=settings.genome.fasta,
        weights=inputs.backbone,
        head=inputs.head,
    output:
        comparison="<results>/{study}/window_comparison.tsv",
    log:
        "<logs>/compare_windows/{study}.log",
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
        gpu=1,
    params:
        contents=contents(settings.genome.fasta, inputs.backbone),
        backbone=as_params(settings.backbone),
        windows=as_params(settings.windows),
        settings=as_params(settings.scores),
        seed=settings.seed,
        code=code_digest("compare_windows"),
    script:
        "../../scripts/compare_windows.py"
