# What the prior changed, whether it was right (where a truth is known), whether the head fits, and the report.
rule compare_priors:
    input:
        **under_each_prior("variants.tsv.gz", "variants"),
        **under_each_prior("credible_sets.tsv", "credible_sets"),
    output:
        comparison=report("<results>/{study}/comparison.tsv", category="Prior"),
    log:
        "<logs>/compare_priors/{study}.log",
    conda:
        "../../envs/finemap.yaml"
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=code_digest("summarise.compare_priors"),
    script:
        "../../scripts/compare_priors.py"


# The only rule that may read the truth.
rule compare_truth:
    input:
        **under_each_prior("variants.tsv.gz", "variants"),
        **under_each_prior("credible_sets.tsv", "credible_sets"),
        truth=of_study("truth"),
    output:
        comparison=report("<results>/{study}/truth_comparison.tsv", category="Truth"),
        calibration=report("<results>/{study}/calibration.tsv", category="Truth"),
    log:
        "<logs>/compare_truth/{study}.log",
    conda:
        "../../envs/finemap.yaml"
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        code=code_digest("summarise.compare_truth"),
    script:
        "../../scripts/compare_truth.py"


rule assess_shift:
    input:
        variants=expand("<results>/{{study}}/loci/{batch}.tsv.gz", batch=BATCHES),
        scores=expand("<results>/{{study}}/scores/{batch}.tsv.gz", batch=BATCHES),
        embeddings=expand("<results>/{{study}}/embeddings/{batch}.npz", batch=BATCHES),
        fasta=settings.genome.fasta,
        regions=settings.regions or [],
        region_embeddings="<results>/regions/embeddings.npz",
        head=head_of_study("<results>/heads/{head}/head.safetensors"),
        labels="<results>/labels/variant_head.npz" if settings.labels.variants else [],
    output:
        shift=report("<results>/{study}/shift.tsv", category="Head"),
    log:
        "<logs>/assess_shift/{study}.log",
    conda:
        "../../envs/model.yaml"
    resources:
        mem_mb=8000,
        runtime=30,
    params:
        context_length=settings.backbone.context_length,
        settings=as_params(settings.priors),
        seed=settings.seed,
        code=code_digest("shift.assess_shift"),
    script:
        "../../scripts/assess_shift.py"


rule report:
    input:
        unpack(truth_tables),
        **under_each_prior("variants.tsv.gz", "variants"),
        **under_each_prior("credible_sets.tsv", "credible_sets"),
        **under_each_prior("loci_status.tsv", "status"),
        qc="<results>/{study}/sumstats_qc.tsv",
        loci="<results>/{study}/loci.tsv",
        enrichment="<results>/{study}/prior/enrichment.tsv",
        verdict="<results>/{study}/prior/verdict.tsv",
        comparison="<results>/{study}/comparison.tsv",
        head_metrics=head_of_study("<results>/heads/{head}/metrics.tsv"),
        history=head_of_study("<results>/heads/{head}/history.tsv"),
        baselines=head_of_study("<results>/heads/{head}/baselines.tsv"),
        curve=head_of_study("<results>/heads/{head}/learning_curve.tsv"),
        folds=head_of_study("<results>/heads/{head}/folds.tsv"),
        scatter=head_of_study("<results>/heads/{head}/scatter.tsv"),
        shift="<results>/{study}/shift.tsv",
    output:
        page=report("<results>/{study}/report.html", category="Report"),
    log:
        "<logs>/report/{study}.log",
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=as_params(settings.report),
        min_r=settings.evaluation.min_r,
        code=code_digest("report.report"),
    script:
        "../../scripts/report.py"
