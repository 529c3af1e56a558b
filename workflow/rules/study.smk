# A study's own data: summary statistics (or association in its own genotypes), loci, LD.
rule associate:
    input:
        genotypes=inputs.genotypes,
        phenotype=inputs.phenotype,
        covariates=inputs.covariates,
        samples=inputs.chosen_samples,
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
            inputs.genotypes,
            inputs.phenotype,
            inputs.covariates,
            inputs.chosen_samples,
        ),
        genotypes=params_of.genotypes,
        build=settings.genome.build,
        code=code_digest("associate"),
    script:
        "../../scripts/associate.py"


rule harmonise_sumstats:
    input:
        sumstats=inputs.sumstats,
        meta=inputs.metadata,
        chain=inputs.chain,
        panel=inputs.panel,
        samples=inputs.ld_samples,
        fasta=settings.genome.fasta,
    output:
        sumstats="<results>/{study}/sumstats.parquet",
        qc=item(
            "<results>/{study}/sumstats_qc.tsv",
            "sumstats_qc",
            "Input",
            "rows kept and excluded",
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
            inputs.sumstats,
            inputs.metadata,
            inputs.chain,
            inputs.panel,
            inputs.ld_samples,
            settings.genome.fasta,
        ),
        settings=params_of.harmonise,
        build=settings.genome.build,
        source_build=params_of.build,
        layout=params_of.layout,
        sizes=params_of.sizes,
        panel=params_of.panel,
        ld=params_of.ld,
        code=code_digest("harmonise_sumstats"),
    script:
        "../../scripts/harmonise_sumstats.py"


# It depends on no locus, so one more locus reruns neither it nor what follows from it.
rule compare_panel:
    input:
        sumstats="<results>/{study}/sumstats.parquet",
        panel=inputs.panel,
        samples=inputs.ld_samples,
    output:
        fst="<results>/{study}/panel_fst.tsv",
    log:
        "<logs>/compare_panel/{study}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        contents=contents(inputs.panel, inputs.ld_samples),
        panel=params_of.panel,
        code=code_digest("compare_panel"),
    script:
        "../../scripts/compare_panel.py"


rule define_loci:
    input:
        sumstats="<results>/{study}/sumstats.parquet",
        further=inputs.interval_files,
        known_regions=inputs.known_regions,
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
        study=any_of(project.studies.keys() - params_of.loci_of_bed.keys()),
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        contents=contents(
            inputs.loci_bed,
            inputs.interval_files,
            inputs.known_regions,
            settings.genome.fasta,
        ),
        settings=as_params(settings.loci),
        build=settings.genome.build,
        code=code_digest("define_loci"),
    script:
        "../../scripts/define_loci.py"


# Genes enter the results where all batches are gathered: another file of genes makes no fit again.
rule annotate_genes:
    input:
        genes=settings.genome.genes or [],
        fasta=settings.genome.fasta,
        loci="<results>/{study}/loci.tsv",
        variants=expand("<results>/{{study}}/loci/{batch}.tsv.gz", batch=BATCHES),
    output:
        variants="<results>/{study}/variant_genes.tsv.gz",
        genes="<results>/{study}/locus_genes.tsv",
    log:
        "<logs>/annotate_genes/{study}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        contents=contents(settings.genome.genes, settings.genome.fasta),
        code=code_digest("annotate_genes"),
    script:
        "../../scripts/annotate_genes.py"


# The loci of a BED file are known before any job starts, so each batch depends on its own loci only: one more locus in
# the file reruns one batch. One more locus that is found in the data reruns all of them.
use rule define_loci as list_loci with:
    input:
        bed=inputs.loci_bed,
        sumstats="<results>/{study}/sumstats.parquet",
        further=inputs.interval_files,
        known_regions=inputs.known_regions,
        fasta=settings.genome.fasta,
    output:
        loci="<results>/{study}/loci.tsv",
        excluded="<results>/{study}/excluded_regions.tsv",
    log:
        "<logs>/list_loci/{study}.log",
    wildcard_constraints:
        study=any_of(params_of.loci_of_bed),


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
        study=any_of(params_of.loci_of_bed),
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        contents=contents(settings.genome.fasta),
        loci=params_of.loci,
        code=code_digest("collect_variants"),
    script:
        "../../scripts/collect_variants.py"


rule compute_ld:
    input:
        variants="<results>/{study}/loci/{batch}.tsv.gz",
        panel=inputs.panel,
        samples=inputs.ld_samples,
        fst=inputs.panel_fst,
    output:
        ld="<results>/{study}/ld/{batch}.npz",
    log:
        "<logs>/compute_ld/{study}.{batch}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=memory_of_ld(settings.ld.max_memory_mb),
        runtime=growing(60),
    params:
        contents=contents(inputs.panel, inputs.ld_samples),
        panel=params_of.panel,
        ld=params_of.ld,
        settings=as_params(settings.ld),
        code=code_digest("compute_ld"),
    script:
        "../../scripts/compute_ld.py"
