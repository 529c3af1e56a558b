# The embedded study: a genome with a regulatory grammar, its tracks, a panel, a GWAS, and the truth.
# These rules run only for a project whose sheets name files below resources/embedded/.
rule simulate_genome:
    input:
        motifs=inputs.motifs,
    output:
        fasta="resources/embedded/genome.fa",
        index="resources/embedded/genome.fa.fai",
        regions="resources/embedded/regions.bed",
    log:
        "<logs>/simulate_genome.log",
    conda:
        "../../envs/simulate.yaml"
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        settings=as_params(settings.embedded),
        context_length=settings.backbone.context_length,
        target_bins=settings.backbone.target_bins,
        seed=settings.seed,
        code=code_digest("simulate_genome"),
    script:
        "../../scripts/simulate_genome.py"


rule simulate_tracks:
    input:
        motifs=inputs.motifs,
        fasta="resources/embedded/genome.fa",
    output:
        bigwigs=expand(
            "resources/embedded/tracks/{track}.bw", track=inputs.embedded_tracks
        ),
    log:
        "<logs>/simulate_tracks.log",
    conda:
        "../../envs/simulate.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(10),
    params:
        settings=as_params(settings.embedded),
        seed=settings.seed,
        code=code_digest("simulate_tracks"),
    script:
        "../../scripts/simulate_tracks.py"


rule simulate_study:
    input:
        motifs=inputs.motifs,
        fasta="resources/embedded/genome.fa",
    output:
        panel=multiext("resources/embedded/panel", ".bed", ".bim", ".fam"),
        sumstats="resources/embedded/gwas.tsv.gz",
        meta="resources/embedded/gwas.tsv.gz-meta.yaml",
        truth="resources/embedded/truth.tsv",
    log:
        "<logs>/simulate_study.log",
    conda:
        "../../envs/simulate.yaml"
    resources:
        mem_mb=growing(4000),
        runtime=growing(20),
    params:
        settings=as_params(settings.embedded),
        seed=settings.seed,
        code=code_digest("simulate_study"),
    script:
        "../../scripts/simulate_study.py"
