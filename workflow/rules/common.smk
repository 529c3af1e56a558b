# What all rules share: the project (config and sheets), and the objects that give rules their inputs and params.
# Their decisions are library code: fineprior.plan.inputs and fineprior.plan.params.
from fineprior.plan.check import OrStop, check_formats, check_intervals
from fineprior.plan.inputs import Inputs, any_of
from fineprior.plan.params import (
    Params,
    growing,
    memory_of_files,
    memory_of_ld,
    memory_of_windows,
)
from fineprior.plan.provenance import Fingerprints, code_digest, older_replacements
from fineprior.plan.results import EXPORTED_PRIOR, EXPORTS
from fineprior.project.project import FETCHED, HUB_BACKBONES, load_project
from fineprior.project.settings import as_params

project = or_stop(load_project, config)
settings = project.settings
or_stop(check_formats, project)
or_stop(check_intervals, project)
# For an unknown study Snakemake would only say that no rule makes the file. Nothing else knows the targets yet.
or_stop(project.check_targets, sys.argv[1:])

fingerprints = Fingerprints()
inputs = OrStop(Inputs(project, REPOSITORY))
params_of = OrStop(Params(project, fingerprints))
contents = params_of.contents
BATCHES = inputs.batches


def item(path, caption, category, name, **labels):
    """An output that `snakemake --report` shows, with the caption workflow/report/{caption}.rst."""
    labels = {"of": "{head}" if "{head}" in path else "{study}", "item": name, **labels}
    return report(path, f"../report/{caption}.rst", category=category, labels=labels)


wildcard_constraints:
    study=any_of(project.studies),
    head=any_of(project.heads),
    batch=any_of(BATCHES),
    chrom="[A-Za-z0-9]+",
    prior=any_of(inputs.priors),
    form=any_of(EXPORTS),
