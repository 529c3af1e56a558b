# From tracks to a head: embed the training regions once, train the head on them, compare it with simpler models, and
# compare the windows of a study's variants with those regions. The first three rules are the longest chain of the
# embedded study, so their jobs have priority.
rule embed_regions:
    input:
        fasta=settings.genome.fasta,
        regions=inputs.regions,
        weights=inputs.backbone,
        seen=inputs.seen_regions,
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
        mem_mb=memory_of_windows(64, settings.backbone.context_length),
        runtime=growing(240),
        gpu=1,
        batch_size=64,
        store=settings.store,
    params:
        contents=contents(
            settings.genome.fasta,
            settings.regions,
            inputs.backbone,
            settings.backbone.training_regions,
        ),
        backbone=as_params(settings.backbone),
        code=code_digest("embed_regions"),
    script:
        "../../scripts/embed_regions.py"


rule train_head:
    input:
        fasta=settings.genome.fasta,
        regions=inputs.regions,
        weights=inputs.backbone,
        embeddings="<results>/regions/embeddings.npz",
        bigwigs=inputs.bigwigs,
        masks=inputs.masks,
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
            params_of.training_memory,
            3,
            "embeddings",
            most=1000,
        ),
        runtime=growing(params_of.training_minutes),
        gpu=int(params_of.tunes_backbone),
        store=settings.store,
    params:
        contents=contents(
            settings.genome.fasta,
            settings.regions,
            inputs.backbone,
            inputs.bigwigs,
            inputs.masks,
        ),
        settings=as_params(settings.head),
        targets=params_of.targets,
        backbone=as_params(settings.backbone),
        tracks=params_of.tracks,
        seed=settings.seed,
        code=code_digest("train_head"),
    script:
        "../../scripts/train_head.py"


rule evaluate_head:
    input:
        fasta=settings.genome.fasta,
        regions=inputs.regions,
        weights=inputs.backbone,
        embeddings="<results>/regions/embeddings.npz",
        bigwigs=inputs.bigwigs,
        masks=inputs.masks,
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
        runtime=growing(params_of.evaluation_minutes),
        gpu=int(params_of.tunes_backbone),
        store=settings.store,
    params:
        contents=contents(
            settings.genome.fasta,
            settings.regions,
            inputs.backbone,
            inputs.bigwigs,
            inputs.masks,
        ),
        targets=params_of.targets,
        backbone=as_params(settings.backbone),
        settings=as_params(settings.head),
        evaluation=params_of.evaluation,
        tracks=params_of.tracks,
        seed=settings.seed,
        code=code_digest("evaluate_head"),
    script:
        "../../scripts/evaluate_head.py"


rule assess_shift:
    input:
        variants=expand("<results>/{{study}}/loci/{batch}.tsv.gz", batch=BATCHES),
        scores=expand("<results>/{{study}}/scores/{batch}.tsv.gz", batch=BATCHES),
        embeddings=expand("<results>/{{study}}/embeddings/{batch}.npz", batch=BATCHES),
        fasta=settings.genome.fasta,
        regions=inputs.regions,
        region_embeddings="<results>/regions/embeddings.npz",
        head=inputs.head,
        labels=inputs.labelled_head,
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
