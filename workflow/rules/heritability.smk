# Per-SNP heritabilities as the source of the prior: LD scores of annotations, and the stratified regression on them.
rule compute_ld_scores:
    input:
        annotations=inputs.chromosome_annotations,
        panel=inputs.panel,
        samples=inputs.ld_samples,
    output:
        ld_scores="<results>/{study}/prior/ld_scores/{chrom}.l2.ldscore.parquet",
        sizes="<results>/{study}/prior/ld_scores/{chrom}.l2.M",
    log:
        "<logs>/compute_ld_scores/{study}.{chrom}.log",
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
    params:
        contents=contents(
            inputs.chromosome_annotations,
            inputs.panel,
            inputs.ld_samples,
        ),
        annotations=params_of.heritability_annotations,
        panel=params_of.panel,
        code=code_digest("compute_ld_scores"),
    script:
        "../../scripts/compute_ld_scores.py"


rule fit_heritability:
    input:
        unpack(inputs.panel_for_bins),
        sumstats="<results>/{study}/sumstats.parquet",
        variants=expand("<results>/{{study}}/loci/{batch}.tsv.gz", batch=BATCHES),
        annotations=inputs.heritability_annotations,
        ld_scores=inputs.ld_scores,
        weights=inputs.heritability_weights,
    output:
        coefficients="<results>/{study}/prior/heritability_coefficients.tsv",
        heritability="<results>/{study}/prior/heritability.parquet",
    log:
        "<logs>/fit_heritability/{study}.log",
    benchmark:
        "<logs>/benchmarks/fit_heritability/{study}.tsv"
    conda:
        "../../envs/study.yaml"
    threads: 2
    resources:
        mem_mb=growing(8000),
        runtime=growing(240),
    params:
        contents=contents(
            inputs.panel_for_bins,
            inputs.heritability_annotations,
            inputs.heritability_weights,
            inputs.ld_scores,
        ),
        files=params_of.heritability_files,
        bins=settings.priors.heritability_bins,
        max_ratio=settings.priors.max_ratio,
        code=code_digest("fit_heritability"),
    script:
        "../../scripts/fit_heritability.py"
