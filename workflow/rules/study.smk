# A study's own data: summary statistics (or association in its own genotypes), loci, LD.
rule associate:
    input:
        genotypes=genotypes_of_study,
        phenotype=of_study("phenotype"),
        covariates=of_study("covariates"),
        samples=of_study("samples"),
    output:
        sumstats="<results>/{study}/association.tsv.gz",
        meta="<results>/{study}/association.tsv.gz-meta.yaml",
        people="<results>/{study}/people.txt",
    log:
        "<logs>/associate/{study}.log",
    conda:
        "../../envs/study.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        genotypes=param_of_study("genotypes"),
        build=settings.genome.build,
        code=code_digest("associate.associate"),
    script:
        "../../scripts/associate.py"


rule harmonise_sumstats:
    input:
        sumstats=sumstats_of_study,
        meta=meta_of_study,
        chain=of_study("chain"),
        panel=panel_of_study,
        samples=people_of_study,
        fasta=settings.genome.fasta,
    output:
        sumstats="<results>/{study}/sumstats.parquet",
        qc=item(
            "<results>/{study}/sumstats_qc.tsv",
            "sumstats_qc",
            "Input",
            "rows kept and left out",
        ),
        dropped="<results>/{study}/dropped.tsv.gz",
        liftover="<results>/{study}/liftover.tsv.gz",
    log:
        "<logs>/harmonise_sumstats/{study}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=6000,
        runtime=60,
    params:
        settings=settings_of_harmonise,
        build=settings.genome.build,
        source_build=param_of_study("build"),
        layout=format_of_study,
        sizes=param_of_study("sizes"),
        panel=param_of_study("ld_panel"),
        ld=param_of_study("ld"),
        code=code_digest("study.harmonise_sumstats"),
    script:
        "../../scripts/harmonise_sumstats.py"


rule define_loci:
    input:
        sumstats="<results>/{study}/sumstats.parquet",
        bed=of_study("loci"),
        further=[
            path for path in (settings.loci.exclude_bed, settings.loci.blocks) if path
        ],
        known_regions=LONG_RANGE_LD if settings.loci.exclude != "none" else [],
        fasta=settings.genome.fasta,
    output:
        loci=item("<results>/{study}/loci.tsv", "loci", "Input", "loci"),
        excluded="<results>/{study}/excluded_regions.tsv",
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
        build=settings.genome.build,
        code=code_digest("study.define_loci"),
    script:
        "../../scripts/define_loci.py"


rule compute_ld:
    input:
        variants="<results>/{study}/loci/{batch}.tsv.gz",
        panel=panel_of_study,
        samples=people_of_study,
    output:
        ld="<results>/{study}/ld/{batch}.npz",
    log:
        "<logs>/compute_ld/{study}.{batch}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=settings.ld.max_memory_mb,
        runtime=60,
    params:
        panel=param_of_study("ld_panel"),
        ld=param_of_study("ld"),
        settings=as_params(settings.ld),
        code=code_digest("study.compute_ld"),
    script:
        "../../scripts/compute_ld.py"
