# What the results of the project rest on: settings, sheets, files, software and code.
# It reads the rows and files of all studies, so it runs again when any of them changes.
rule provenance:
    input:
        unpack(inputs.behind_results),
    output:
        config="<results>/provenance/config.yaml",
        sheets="<results>/provenance/sheets.yaml",
        files="<results>/provenance/files.tsv",
        software="<results>/provenance/software.tsv",
        code="<results>/provenance/code.tsv",
        modules="<results>/provenance/modules.tsv",
    log:
        "<logs>/provenance.log",
    localrule: True
    conda:
        "../../envs/study.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        contents=contents(inputs.behind_results),
        settings=as_params(settings),
        sheets=params_of.sheets,
        roles=["weights", "genome", "regions", "tracks", "studies"],
        software=params_of.software,
        code_of_rules=params_of.code_of_rules,
        code=code_digest("provenance"),
    script:
        "../../scripts/provenance.py"
