# A study's own data: summary statistics, loci, LD.
rule harmonise_sumstats:
    input:
        sumstats=of_study("sumstats"),
        meta=meta_of_study,
        panel=panel_files,
        fasta=settings.genome.fasta,
    output:
        sumstats="<results>/{study}/sumstats.parquet",
        qc="<results>/{study}/sumstats_qc.tsv",
        dropped="<results>/{study}/dropped.tsv.gz",
    log:
        "<logs>/harmonise_sumstats/{study}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        settings=as_params(settings.harmonise),
        code=code_digest("study.harmonise_sumstats"),
    script:
        "../../scripts/harmonise_sumstats.py"


rule define_loci:
    input:
        sumstats="<results>/{study}/sumstats.parquet",
        bed=of_study("loci"),
        fasta=settings.genome.fasta,
    output:
        loci="<results>/{study}/loci.tsv",
        batches=expand("<results>/{{study}}/loci/{batch}.tsv.gz", batch=BATCHES),
    log:
        "<logs>/define_loci/{study}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=as_params(settings.loci),
        code=code_digest("study.define_loci"),
    script:
        "../../scripts/define_loci.py"


rule compute_ld:
    input:
        variants="<results>/{study}/loci/{batch}.tsv.gz",
        panel=panel_files,
    output:
        ld="<results>/{study}/ld/{batch}.npz",
    log:
        "<logs>/compute_ld/{study}.{batch}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        code=code_digest("study.compute_ld"),
    script:
        "../../scripts/compute_ld.py"
