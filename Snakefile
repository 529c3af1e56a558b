# From GWAS to credible sets with a disease-specific prior.
# results/{study}/ has one folder a study, results/heads/{head}/ one folder a head, logs/{rule}/ one log a job.
from snakemake.utils import min_version

min_version("9.19")


include: "workflow/rules/config.smk"


configfile: CONFIG


include: "workflow/rules/common.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/study.smk"
include: "workflow/rules/heads.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/labels.smk"
include: "workflow/rules/heritability.smk"
include: "workflow/rules/prior.smk"
include: "workflow/rules/finemap.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/provenance.smk"
include: "workflow/rules/calibrate.smk"
include: "workflow/rules/pretrain.smk"


rule all:
    default_target: True
    input:
        inputs.final(),
    localrule: True


onstart:
    for sentence in older_replacements(fingerprints):
        print(f"note: {sentence}")


onsuccess:
    from fineprior.report.headline import headline

    print("\n".join(headline(Path("results"), list(project.studies))))
