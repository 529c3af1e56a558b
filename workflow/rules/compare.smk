# What the prior changed, and whether it was right where a truth is known.
rule compare_priors:
    input:
        **inputs.under_each_prior(
            variants="variants.tsv.gz", credible_sets="credible_sets.tsv"
        ),
    output:
        comparison=item(
            "<results>/{study}/comparison.tsv",
            "comparison",
            "Prior",
            "what it changed",
        ),
    log:
        "<logs>/compare_priors/{study}.log",
    conda:
        "../../envs/finemap.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        code=code_digest("compare_priors"),
    script:
        "../../scripts/compare_priors.py"


# The only rule that may read the truth.
rule compare_truth:
    input:
        **inputs.under_each_prior(
            variants="variants.tsv.gz", credible_sets="credible_sets.tsv"
        ),
        truth=inputs.truth,
    output:
        comparison=item(
            "<results>/{study}/truth_comparison.tsv",
            "truth_comparison",
            "Calibration",
            "priors against the truth",
        ),
        calibration=item(
            "<results>/{study}/calibration.tsv",
            "calibration",
            "Calibration",
            "claimed and observed PIPs",
        ),
    log:
        "<logs>/compare_truth/{study}.log",
    conda:
        "../../envs/finemap.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        contents=contents(inputs.truth),
        code=code_digest("compare_truth"),
    script:
        "../../scripts/compare_truth.py"
