# What all rules share: the project (config and sheets), code digests, and where a rule finds its files.
import re
import sys
from pathlib import Path

REPOSITORY = Path(
    str(workflow.current_basedir.get_path_or_uri(secret_free=True))
).parents[1]
sys.path.insert(0, str(REPOSITORY / "scripts"))

from fineprior.foundation.errors import InputError
from fineprior.foundation.project import (
    FETCHED,
    HUB_BACKBONES,
    hub_folder,
    is_generated,
    load_project,
)
from fineprior.foundation.provenance import code_digest
from fineprior.foundation.settings import TUNING_MODES, as_params
from fineprior.steps.inputs import PRIORS

# Relative where the repository is the working directory, so that a moved clone reruns nothing.
MOTIFS = "resources/backbone/motifs.meme"
if not REPOSITORY.samefile(Path.cwd()):
    MOTIFS = str(REPOSITORY / MOTIFS)


def or_stop(function, *arguments):
    """The value of a library function; a user's mistake ends the workflow with its one line."""
    try:
        return function(*arguments)
    except InputError as error:
        sys.exit(f"error: {error}")


project = or_stop(load_project, config)
settings = project.settings
# Snakemake would only say that no rule makes the file; its targets can be seen nowhere else at this point.
or_stop(project.check_targets, sys.argv[1:])
BATCHES = [str(batch) for batch in range(settings.loci.batches)]


wildcard_constraints:
    study="|".join(re.escape(study) for study in project.studies),
    head="|".join(re.escape(head) for head in project.heads),
    batch="|".join(BATCHES),
    prior="|".join(PRIORS),


def of_study(field):
    """Input function: one path of the study's row in studies.tsv, or nothing when it has none."""

    def path(wildcards):
        return getattr(or_stop(project.study, wildcards.study), field) or []

    return path


def meta_of_study(wildcards):
    meta = f"{or_stop(project.study, wildcards.study).sumstats}-meta.yaml"
    return meta if is_generated(meta) or Path(meta).is_file() else []


def panel_files(wildcards):
    return multiext(
        or_stop(project.study, wildcards.study).panel, ".bed", ".bim", ".fam"
    )


def head_of_study(pattern):
    """Input function: a file of the head that the study uses."""

    def path(wildcards):
        return pattern.format(head=or_stop(project.study, wildcards.study).head)

    return path


def bigwigs_of_head(wildcards):
    return [track.bigwig for track in or_stop(project.head_tracks, wildcards.head)]


def tracks_of_head(wildcards):
    return [track.track for track in or_stop(project.head_tracks, wildcards.head)]


def targets_of_head(wildcards):
    """How the signal of each track of the head becomes targets, and what else the sheet says of it."""
    rows = or_stop(project.head_tracks, wildcards.head)
    return {
        "targets": [
            as_params(row.targets(settings.targets, row.track)) for row in rows
        ],
        "weights": [row.loss_weight(row.track) for row in rows],
        "strand_pairs": [row.strand_pair for row in rows],
    }


def masks(wildcards):
    """Files that say where targets cannot be trusted."""
    return [
        path
        for path in (settings.targets.blacklist, settings.targets.unmappable)
        if path
    ]


def head_that_changes_backbone(wildcards):
    """The study's head where its training changes the backbone: its variants are then embedded with that."""
    if settings.head.mode not in TUNING_MODES:
        return []
    return head_of_study("<results>/heads/{head}/head.safetensors")(wildcards)


def backbone_files(wildcards):
    """The files of a local backbone; the record of a hub's, which the rule fetch_backbone makes."""
    backbone = settings.backbone
    if not (Path(backbone.weights) / "config.json").is_file():
        return [f"{hub_folder(backbone.weights, backbone.revision)}/{FETCHED}"]
    names = ("config.json", "model.safetensors", "pytorch_model.bin")
    return [
        str(file) for name in names if (file := Path(backbone.weights) / name).is_file()
    ]


def evidence_for_prior(wildcards):
    """The uniform prior depends on the list of variants only: not on scores, and not on `priors` in the config."""
    if wildcards.prior == "uniform":
        return {}
    return {
        "scores": "<results>/{study}/scores/{batch}.tsv.gz",
        "enrichment": "<results>/{study}/prior/enrichment.tsv",
        "verdict": "<results>/{study}/prior/verdict.tsv",
    }


def settings_of_prior(wildcards):
    return {} if wildcards.prior == "uniform" else as_params(settings.priors)


def under_each_prior(table, name):
    """Named inputs `<name>_<prior>`: one gathered table under each prior."""
    return {
        f"{name}_{prior}": f"<results>/{{study}}/{prior}/{table}" for prior in PRIORS
    }


def truth_tables(wildcards):
    if not or_stop(project.study, wildcards.study).truth:
        return {}
    return {
        "truth_comparison": "<results>/{study}/truth_comparison.tsv",
        "calibration": "<results>/{study}/calibration.tsv",
    }


def final_results():
    return [
        f"<results>/{study}/{name}"
        for study in project.studies
        for name in ("report.html", "scores.tsv.gz")
    ]


def headline():
    """What is printed at the end: where the results are, and their most interesting lines."""
    from fineprior.report.headline import headline

    return "\n".join(headline(Path("results"), list(project.studies)))
