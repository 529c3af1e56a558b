# The longest chain of the embedded study, so its jobs come first where there is a choice.
# From tracks to a head: embed the training regions once, train the head on them, compare it with simpler models.
rule embed_regions:
    input:
        fasta=settings.genome.fasta,
        regions=settings.regions or [],
        weights=backbone_files,
        seen=settings.backbone.training_regions or [],
    output:
        embeddings="<results>/regions/embeddings.npz",
    log:
        "<logs>/embed_regions.log",
    benchmark:
        "<logs>/benchmarks/embed_regions.tsv"
    priority: 1
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=memory_of_windows(64),
        runtime=growing(240),
        gpu=1,
        batch_size=64,
        store=settings.store,
    params:
        contents=contents(
            settings.genome.fasta,
            settings.regions,
            backbone_files,
            settings.backbone.training_regions,
        ),
        backbone=as_params(settings.backbone),
        code=code_digest("embed_regions"),
    script:
        "../../scripts/embed_regions.py"


rule train_head:
    input:
        fasta=settings.genome.fasta,
        regions=settings.regions or [],
        weights=backbone_files,
        embeddings="<results>/regions/embeddings.npz",
        bigwigs=bigwigs_of_head,
        masks=masks,
    output:
        head="<results>/heads/{head}/head.safetensors",
        metrics=item(
            "<results>/heads/{head}/metrics.tsv",
            "head_metrics",
            "Head",
            "quality by split",
        ),
        history=item(
            "<results>/heads/{head}/history.tsv", "head_history", "Head", "training"
        ),
    log:
        "<logs>/train_head/{head}.log",
    benchmark:
        "<logs>/benchmarks/train_head/{head}.tsv"
    priority: 1
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=memory_of_files(
            8000 if settings.head.mode in TUNING_MODES else 4000,
            3,
            "embeddings",
            most=1000,
        ),
        runtime=growing(2880 if settings.head.mode in TUNING_MODES else 120),
        gpu=int(settings.head.mode in TUNING_MODES),
        store=settings.store,
    params:
        contents=contents(
            settings.genome.fasta,
            settings.regions,
            backbone_files,
            bigwigs_of_head,
            masks,
        ),
        settings=as_params(settings.head),
        targets=targets_of_head,
        backbone=as_params(settings.backbone),
        tracks=tracks_of_head,
        seed=settings.seed,
        code=code_digest("train_head"),
    script:
        "../../scripts/train_head.py"


rule evaluate_head:
    input:
        fasta=settings.genome.fasta,
        regions=settings.regions or [],
        weights=backbone_files,
        embeddings="<results>/regions/embeddings.npz",
        bigwigs=bigwigs_of_head,
        masks=masks,
        head="<results>/heads/{head}/head.safetensors",
        metrics="<results>/heads/{head}/metrics.tsv",
        history="<results>/heads/{head}/history.tsv",
    output:
        baselines=item(
            "<results>/heads/{head}/baselines.tsv",
            "head_baselines",
            "Head",
            "beside simpler models",
        ),
        curve=item(
            "<results>/heads/{head}/learning_curve.tsv",
            "learning_curve",
            "Head",
            "learning curve",
        ),
        folds=item(
            "<results>/heads/{head}/folds.tsv",
            "head_folds",
            "Head",
            "nested cross-validation",
        ),
        scatter="<results>/heads/{head}/scatter.tsv",
        events=(
            directory("<results>/heads/{head}/tensorboard")
            if settings.evaluation.tensorboard
            else []
        ),
    log:
        "<logs>/evaluate_head/{head}.log",
    priority: 1
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=memory_of_files(8000, 3, "embeddings", most=1000),
        # The learning curve trains again on a half, a quarter, ... of the regions, as long as the head in sum.
        runtime=growing(2880 if settings.head.mode in TUNING_MODES else 240),
        gpu=int(settings.head.mode in TUNING_MODES),
        store=settings.store,
    params:
        contents=contents(
            settings.genome.fasta,
            settings.regions,
            backbone_files,
            bigwigs_of_head,
            masks,
        ),
        targets=targets_of_head,
        backbone=as_params(settings.backbone),
        settings=as_params(settings.head),
        evaluation={
            name: value
            for name, value in as_params(settings.evaluation).items()
            if name != "min_r"
        },
        tracks=tracks_of_head,
        seed=settings.seed,
        code=code_digest("evaluate_head"),
    script:
        "../../scripts/evaluate_head.py"
