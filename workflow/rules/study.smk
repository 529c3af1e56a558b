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
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        contents=contents(
            genotypes_of_study,
            of_study("phenotype"),
            of_study("covariates"),
            of_study("samples"),
        ),
        genotypes=param_of_study("genotypes"),
        build=settings.genome.build,
        code=code_digest("associate"),
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
        mem_mb=growing(6000),
        runtime=growing(60),
    params:
        contents=contents(
            sumstats_of_study,
            meta_of_study,
            of_study("chain"),
            panel_of_study,
            people_of_study,
            settings.genome.fasta,
        ),
        settings=settings_of_harmonise,
        build=settings.genome.build,
        source_build=param_of_study("build"),
        layout=format_of_study,
        sizes=param_of_study("sizes"),
        panel=param_of_study("ld_panel"),
        ld=param_of_study("ld"),
        code=code_digest("harmonise_sumstats"),
    script:
        "../../scripts/harmonise_sumstats.py"


rule define_loci:
    input:
        sumstats="<results>/{study}/sumstats.parquet",
        further=[
            path for path in (settings.loci.exclude_bed, settings.loci.blocks) if path
        ],
        known_regions=LONG_RANGE_LD if settings.loci.exclude != "none" else [],
        fasta=settings.genome.fasta,
        dropped="<results>/{study}/dropped.tsv.gz",
    output:
        loci=item("<results>/{study}/loci.tsv", "loci", "Input", "loci"),
        excluded="<results>/{study}/excluded_regions.tsv",
        batches=expand("<results>/{{study}}/loci/{batch}.tsv.gz", batch=BATCHES),
        lost=expand("<results>/{{study}}/loci/{batch}.lost.tsv.gz", batch=BATCHES),
    log:
        "<logs>/define_loci/{study}.log",
    wildcard_constraints:
        study=any_of(project.studies.keys() - LOCI_OF_BED.keys()),
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        contents=contents(
            of_study("loci"),
            settings.loci.exclude_bed,
            settings.loci.blocks,
            LONG_RANGE_LD if settings.loci.exclude != "none" else [],
            settings.genome.fasta,
        ),
        settings=as_params(settings.loci),
        build=settings.genome.build,
        code=code_digest("define_loci"),
    script:
        "../../scripts/define_loci.py"


# The loci of a BED file are known before any job starts, and each batch depends on its own alone: with one more locus in
# the file one batch is made again, where one more locus that is found in the data makes all of them again.
use rule define_loci as list_loci with:
    input:
        bed=of_study("loci"),
        sumstats="<results>/{study}/sumstats.parquet",
        further=[
            path for path in (settings.loci.exclude_bed, settings.loci.blocks) if path
        ],
        known_regions=LONG_RANGE_LD if settings.loci.exclude != "none" else [],
        fasta=settings.genome.fasta,
    output:
        loci="<results>/{study}/loci.tsv",
        excluded="<results>/{study}/excluded_regions.tsv",
    log:
        "<logs>/list_loci/{study}.log",
    wildcard_constraints:
        study=any_of(LOCI_OF_BED),


rule collect_variants:
    input:
        sumstats="<results>/{study}/sumstats.parquet",
        fasta=settings.genome.fasta,
        dropped="<results>/{study}/dropped.tsv.gz",
    output:
        variants="<results>/{study}/loci/{batch}.tsv.gz",
        lost="<results>/{study}/loci/{batch}.lost.tsv.gz",
    log:
        "<logs>/collect_variants/{study}.{batch}.log",
    wildcard_constraints:
        study=any_of(LOCI_OF_BED),
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        contents=contents(settings.genome.fasta),
        loci=loci_of_batch,
        code=code_digest("collect_variants"),
    script:
        "../../scripts/collect_variants.py"


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
        mem_mb=memory_of_ld,
        runtime=growing(60),
    params:
        contents=contents(panel_of_study, people_of_study),
        panel=param_of_study("ld_panel"),
        ld=param_of_study("ld"),
        settings=as_params(settings.ld),
        code=code_digest("compute_ld"),
    script:
        "../../scripts/compute_ld.py"
