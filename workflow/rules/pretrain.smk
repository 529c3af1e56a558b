# How the shipped backbone was made. Nothing below `all` asks for these rules, and they never write into resources/:
# snakemake results/pretrain/backbone/metrics.json, and then copy the folder on purpose (see its MODEL_CARD.md).
# The last rule makes a backbone for organisms that have none, from the sequence of the training regions:
# snakemake results/pretrain/masked/config.json, copy the folder, and name the copy in backbone.weights.
from fineprior.project.settings import PretrainSettings


rule fetch_pretraining_data:
    output:
        jaspar="<results>/pretrain/jaspar.sqlite",
        dhs="<results>/pretrain/dhs.tsv.gz",
    log:
        "<logs>/fetch_pretraining_data.log",
    retries: 3
    localrule: True
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code_digest("fetch_pretraining_data"),
    script:
        "../../scripts/fetch_pretraining_data.py"


rule select_motifs:
    input:
        jaspar="<results>/pretrain/jaspar.sqlite",
    output:
        motifs="<results>/pretrain/backbone/motifs.meme",
    log:
        "<logs>/select_motifs.log",
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=growing(1000),
        runtime=growing(5),
    params:
        code=code_digest("select_motifs"),
    script:
        "../../scripts/select_motifs.py"


rule pretrain_backbone:
    input:
        motifs="<results>/pretrain/backbone/motifs.meme",
        dhs="<results>/pretrain/dhs.tsv.gz",
    output:
        multiext(
            "<results>/pretrain/backbone/",
            config="config.json",
            weights="model.safetensors",
            metrics="metrics.json",
            card="MODEL_CARD.md",
        ),
    log:
        "<logs>/pretrain_backbone.log",
    benchmark:
        "<logs>/benchmarks/pretrain_backbone.tsv"
    conda:
        "../../envs/model.yaml"
    # One thread: the same thread count gives the same bytes.
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        settings=as_params(PretrainSettings()),
        code=code_digest("pretrain_backbone"),
    script:
        "../../scripts/pretrain_backbone.py"


rule pretrain_masked:
    input:
        fasta=settings.genome.fasta,
        regions=settings.regions or [],
    output:
        multiext(
            "<results>/pretrain/masked/",
            config="config.json",
            weights="model.safetensors",
            metrics="metrics.json",
        ),
    log:
        "<logs>/pretrain_masked.log",
    benchmark:
        "<logs>/benchmarks/pretrain_masked.tsv"
    conda:
        "../../envs/model.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(1440),
        store=settings.store,
    params:
        contents=contents(settings.genome.fasta, settings.regions),
        settings=as_params(settings.masked),
        context_length=settings.backbone.context_length,
        seed=settings.seed,
        code=code_digest("pretrain_masked"),
    script:
        "../../scripts/pretrain_masked.py"
