# Whether z and LD belong together, once for all fits of a locus; SuSiE and the search under each prior, batch by batch;
# then one set of tables for each study and prior.
rule diagnose_ld:
    input:
        variants="<results>/{study}/loci/{batch}.tsv.gz",
        ld="<results>/{study}/ld/{batch}.npz",
    output:
        diagnoses="<results>/{study}/diagnoses/{batch}.npz",
    log:
        "<logs>/diagnose_ld/{study}.{batch}.log",
    conda:
        "../../envs/finemap.yaml"
    threads: 1
    resources:
        mem_mb=memory_of_ld(settings.ld.max_memory_mb),
        runtime=growing(120),
    params:
        settings=params_of.diagnosis,
        code=code_digest("diagnose_ld"),
    script:
        "../../scripts/diagnose_ld.py"


rule finemap:
    input:
        variants="<results>/{study}/loci/{batch}.tsv.gz",
        lost="<results>/{study}/loci/{batch}.lost.tsv.gz",
        ld="<results>/{study}/ld/{batch}.npz",
        prior="<results>/{study}/prior/{prior}/{batch}.tsv.gz",
        diagnoses="<results>/{study}/diagnoses/{batch}.npz",
    output:
        variants="<results>/{study}/finemap/{prior}/{batch}.variants.tsv.gz",
        credible_sets="<results>/{study}/finemap/{prior}/{batch}.credible_sets.tsv",
        status="<results>/{study}/finemap/{prior}/{batch}.status.tsv",
        fits="<results>/{study}/finemap/{prior}/{batch}.fits.npz",
    log:
        "<logs>/finemap/{study}.{prior}.{batch}.log",
    benchmark:
        "<logs>/benchmarks/finemap/{study}.{prior}.{batch}.tsv"
    conda:
        "../../envs/finemap.yaml"
    threads: 1
    resources:
        mem_mb=memory_of_ld(settings.ld.max_memory_mb),
        runtime=growing(120),
    params:
        settings=params_of.finemap,
        seed=params_of.seed_of_search,
        code=code_digest("finemap"),
    script:
        "../../scripts/finemap.py"


rule gather:
    input:
        **inputs.gene_tables,
        loci="<results>/{study}/loci.tsv",
        lost=expand("<results>/{{study}}/loci/{batch}.lost.tsv.gz", batch=BATCHES),
        variants=expand(
            "<results>/{{study}}/finemap/{{prior}}/{batch}.variants.tsv.gz",
            batch=BATCHES,
        ),
        credible_sets=expand(
            "<results>/{{study}}/finemap/{{prior}}/{batch}.credible_sets.tsv",
            batch=BATCHES,
        ),
        status=expand(
            "<results>/{{study}}/finemap/{{prior}}/{batch}.status.tsv", batch=BATCHES
        ),
        fits=expand(
            "<results>/{{study}}/finemap/{{prior}}/{batch}.fits.npz", batch=BATCHES
        ),
    output:
        variants="<results>/{study}/{prior}/variants.tsv.gz",
        credible_sets=item(
            "<results>/{study}/{prior}/credible_sets.tsv",
            "credible_sets",
            "Fine-mapping",
            "credible sets",
            prior="{prior}",
        ),
        status=item(
            "<results>/{study}/{prior}/loci_status.tsv",
            "loci_status",
            "Fine-mapping",
            "status of the loci",
            prior="{prior}",
        ),
        fits="<results>/{study}/{prior}/fits.rds",
    log:
        "<logs>/gather/{study}.{prior}.log",
    conda:
        "../../envs/finemap.yaml"
    resources:
        mem_mb=memory_of_files(2000, 10, "variants", "fits"),
        runtime=growing(15),
    params:
        code=code_digest("gather"),
    script:
        "../../scripts/gather.py"
