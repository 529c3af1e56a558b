# A backbone for organisms that have none, from the sequence of the training regions. No target of `all` needs it:
# snakemake results/pretrain/masked/config.json, copy the folder, and name the copy in backbone.weights.
rule pretrain_masked:
    input:
        fasta=settings.genome.fasta,
        regions=inputs.regions,
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
