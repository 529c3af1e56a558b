# From GWAS to credible sets with a disease-specific prior.
# results/{study}/... : one folder a study;  results/heads/{head}/... : one folder a head;  logs/{rule}/... : one log a job.
from snakemake.utils import min_version

min_version("9.19")


include: "workflow/rules/config.smk"


configfile: CONFIG


include: "workflow/rules/common.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/simulate.smk"
include: "workflow/rules/study.smk"
include: "workflow/rules/transfer.smk"
include: "workflow/rules/annotate.smk"
include: "workflow/rules/prior.smk"
include: "workflow/rules/finemap.smk"
include: "workflow/rules/summarise.smk"
include: "workflow/rules/calibrate.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/labels.smk"


rule all:
    default_target: True
    input:
        final_results(),
    localrule: True


onstart:
    for sentence in older_replacements(FINGERPRINTS):
        print(f"note: {sentence}")


onsuccess:
    print(headline())
