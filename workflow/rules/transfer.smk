# The longest chain of the embedded study, so its jobs come first where there is a choice.
# From tracks to a head: embed the training regions once, train the head on them, compare it with simpler models.
rule embed_regions:
    input:
        fasta=settings.genome.fasta,
        regions=settings.regions or [],
        weights=backbone_files,
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
    params:
        backbone=as_params(settings.backbone),
        code=code_digest("transfer.embed_regions"),
    script:
        "../../scripts/embed_regions.py"


rule train_head:
    input:
        embeddings="<results>/regions/embeddings.npz",
        bigwigs=bigwigs_of_head,
    output:
        head="<results>/heads/{head}/head.safetensors",
        metrics="<results>/heads/{head}/metrics.tsv",
        history="<results>/heads/{head}/history.tsv",
    log:
        "<logs>/train_head/{head}.log",
    benchmark:
        "<logs>/benchmarks/train_head/{head}.tsv"
    priority: 1
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=memory_of_files(4000, 3, "embeddings"),
        runtime=growing(120),
    params:
        settings=as_params(settings.head),
        targets=as_params(settings.targets),
        tracks=tracks_of_head,
        seed=settings.seed,
        code=code_digest("transfer.train_head"),
    script:
        "../../scripts/train_head.py"


rule evaluate_head:
    input:
        fasta=settings.genome.fasta,
        regions=settings.regions or [],
        weights=backbone_files,
        embeddings="<results>/regions/embeddings.npz",
        bigwigs=bigwigs_of_head,
        head="<results>/heads/{head}/head.safetensors",
    output:
        baselines="<results>/heads/{head}/baselines.tsv",
    log:
        "<logs>/evaluate_head/{head}.log",
    priority: 1
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=memory_of_files(8000, 3, "embeddings"),
        runtime=growing(240),
    params:
        targets=as_params(settings.targets),
        backbone=as_params(settings.backbone),
        tracks=tracks_of_head,
        seed=settings.seed,
        code=code_digest("transfer.evaluate_head"),
    script:
        "../../scripts/evaluate_head.py"
