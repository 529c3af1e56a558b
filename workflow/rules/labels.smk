# A head trained on labelled variants (labels.variants), and its probabilities for a study's variants.
rule embed_labels:
    input:
        labels=inputs.labels,
        fasta=settings.genome.fasta,
        weights=inputs.backbone,
    output:
        embeddings="<results>/labels/embeddings.npz",
    log:
        "<logs>/embed_labels.log",
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=memory_of_windows(0, settings.backbone.context_length),
        runtime=growing(240),
        gpu=1,
        batch_size=0,
        store=settings.store,
    params:
        contents=contents(
            settings.labels.variants, settings.genome.fasta, inputs.backbone
        ),
        backbone=as_params(settings.backbone),
        windows=as_params(settings.windows),
        code=code_digest("embed_labels"),
    script:
        "../../scripts/embed_labels.py"


rule train_labels:
    input:
        labels=inputs.labels,
        embeddings="<results>/labels/embeddings.npz",
    output:
        head="<results>/labels/variant_head.npz",
        metrics="<results>/labels/metrics.tsv",
    log:
        "<logs>/train_labels.log",
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=memory_of_files(4000, 3, "embeddings"),
        runtime=growing(60),
    params:
        contents=contents(settings.labels.variants),
        calibration=settings.labels.calibration,
        code=code_digest("train_labels"),
    script:
        "../../scripts/train_labels.py"


rule predict_causal:
    input:
        variants=expand("<results>/{{study}}/loci/{batch}.tsv.gz", batch=BATCHES),
        embeddings=expand("<results>/{{study}}/embeddings/{batch}.npz", batch=BATCHES),
        head="<results>/labels/variant_head.npz",
    output:
        probabilities="<results>/{study}/causal_probabilities.tsv.gz",
    log:
        "<logs>/predict_causal/{study}.log",
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=memory_of_files(4000, 3, "embeddings"),
        runtime=growing(60),
    params:
        code=code_digest("predict_causal"),
    script:
        "../../scripts/predict_causal.py"
