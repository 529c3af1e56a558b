# Whether the prior's claims hold in studies simulated on this study's own LD and scores. Only this command requires it:
#   snakemake --cores 8 results/{study}/calibrate/summary.tsv
rule calibrate:
    input:
        **inputs.values_of_all_variants,
        variants=expand("<results>/{{study}}/loci/{batch}.tsv.gz", batch=BATCHES),
        ld=expand("<results>/{{study}}/ld/{batch}.npz", batch=BATCHES),
        panel=inputs.panel_to_draw,
        samples=inputs.samples_to_draw,
    output:
        counts="<results>/{study}/calibrate/{ld}.{scenario}.{replicate}.counts.tsv",
        bins="<results>/{study}/calibrate/{ld}.{scenario}.{replicate}.bins.tsv",
    log:
        "<logs>/calibrate/{study}.{ld}.{scenario}.{replicate}.log",
    wildcard_constraints:
        ld="in_sample|panel|undrifted_panel",
        scenario=r"enrichment_[0-9.]+|inverted|noise",
        replicate=r"\d+",
    conda:
        "../../envs/study.yaml"
    threads: 1
    resources:
        mem_mb=memory_of_ld(settings.ld.max_memory_mb),
        runtime=growing(240),
    params:
        contents=contents(inputs.panel_to_draw, inputs.samples_to_draw),
        settings=params_of.simulation,
        priors=as_params(settings.priors),
        finemap=params_of.finemap,
        signals=params_of.signals,
        kinds=params_of.kinds,
        panel=params_of.panel_to_draw,
        seed=settings.seed,
        code=code_digest("calibrate"),
    script:
        "../../scripts/calibrate.py"


rule summarise_calibration:
    input:
        counts=inputs.simulated_counts,
        bins=inputs.simulated_bins,
    output:
        summary=item(
            "<results>/{study}/calibrate/summary.tsv",
            "calibrate_summary",
            "Calibration",
            "simulated studies: summary",
        ),
        pip=item(
            "<results>/{study}/calibrate/pip.tsv",
            "calibrate_pip",
            "Calibration",
            "simulated studies: PIPs",
        ),
        plot=item(
            "<results>/{study}/calibrate/calibration.svg",
            "calibrate_plot",
            "Calibration",
            "simulated studies: plot",
        ),
    log:
        "<logs>/summarise_calibration/{study}.log",
    conda:
        "../../envs/report.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        seed=settings.seed,
        code=code_digest("summarise_calibration"),
    script:
        "../../scripts/summarise_calibration.py"
