# From scores to prior causal probabilities, and how much of them the data support.
rule fit_prior:
    input:
        variants=expand("<results>/{{study}}/loci/{batch}.tsv.gz", batch=BATCHES),
        scores=expand("<results>/{{study}}/scores/{batch}.tsv.gz", batch=BATCHES),
    output:
        enrichment=report("<results>/{study}/prior/enrichment.tsv", category="Prior"),
        verdict=report("<results>/{study}/prior/verdict.tsv", category="Prior"),
    log:
        "<logs>/fit_prior/{study}.log",
    conda:
        "../../envs/finemap.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=as_params(settings.priors),
        code=code_digest("prior.fit_prior"),
    script:
        "../../scripts/fit_prior.py"


rule assign_prior:
    input:
        unpack(evidence_for_prior),
        variants="<results>/{study}/loci/{batch}.tsv.gz",
    output:
        prior="<results>/{study}/prior/{prior}/{batch}.tsv.gz",
    log:
        "<logs>/assign_prior/{study}.{prior}.{batch}.log",
    conda:
        "../../envs/finemap.yaml"
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        settings=settings_of_prior,
        seed=settings.seed,
        code=code_digest("prior.assign_prior"),
    script:
        "../../scripts/assign_prior.py"
