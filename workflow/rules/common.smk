# What all rules share: the project (config and sheets), code digests, and where a rule finds its files.
import re

from fineprior.plan.provenance import Fingerprints, older_replacements
from fineprior.genome.bed import loci_by_batch
from fineprior.project.panel_files import chromosomes_of, fitting_files, ld_files
from fineprior.project.project import (
    FETCHED,
    GENERATED,
    HUB_BACKBONES,
    files_of_panel,
    hub_folder,
    is_generated,
    load_project,
)
from fineprior.plan.provenance import code_digest, software_versions
from fineprior.project.settings import TUNING_MODES, FinemapSettings, as_params
from fineprior.plan.stages import STAGES
from fineprior.plan.check import check_formats, check_intervals
from fineprior.plan.inputs import EXPORTED_PRIOR, EXPORTS, all_priors


def shipped(path):
    """A file of the repository: relative where that is the working directory, so that a moved clone reruns nothing."""
    return path if REPOSITORY.samefile(Path.cwd()) else str(REPOSITORY / path)


MOTIFS = shipped("resources/backbone/motifs.meme")
LONG_RANGE_LD = shipped("resources/long_range_ld.tsv")


def item(path, caption, category, name, **labels):
    """An output that `snakemake --report` shows, as `name` of a study or a head, with workflow/report/{caption}.rst."""
    labels = {"of": "{head}" if "{head}" in path else "{study}", "item": name, **labels}
    return report(path, f"../report/{caption}.rst", category=category, labels=labels)


project = or_stop(load_project, config)
settings = project.settings
or_stop(check_formats, project)
or_stop(check_intervals, project)
# Snakemake would only say that no rule makes the file; its targets can be seen nowhere else at this point.
or_stop(project.check_targets, sys.argv[1:])
BATCHES = [str(batch) for batch in range(settings.loci.batches)]
LOCI_OF_BED = {
    name: or_stop(loci_by_batch, row.loci, settings.loci.batches)
    for name, row in project.studies.items()
    if row.loci
}
PRIORS = all_priors(settings.priors.controls)
# Of each block once: rules ask for them job by job.
FINEMAP, PRIOR_SETTINGS = as_params(settings.finemap), as_params(settings.priors)
KNOWN_OF_LD = as_params(
    FinemapSettings(ld=settings.finemap.ld, panel_size=settings.finemap.panel_size)
)
SIMULATED = [
    f"{scenario}.{replicate}"
    for scenario in settings.calibrate.scenarios
    for replicate in range(settings.calibrate.replicates)
]


FINGERPRINTS = Fingerprints()


def contents(*sources):
    """Params function: digests of the user's files among some inputs, given as paths or input functions.

    Without them a file that is replaced by an older one would go unseen. Params that are made of `input` itself would
    not do: Snakemake does not compare them.
    """

    def digests(wildcards):
        files = []
        for source in sources:
            found = source(wildcards) if callable(source) else source
            found = found.values() if isinstance(found, dict) else [found]
            for some in found:
                files.extend([some] if isinstance(some, str) else some or [])
        made = ("<results>/", GENERATED, f"{HUB_BACKBONES}/")
        return FINGERPRINTS.of(
            file for file in files if file and not file.startswith(made)
        )

    return digests


def any_of(names):
    """The pattern of a wildcard that takes these values; of none, a pattern that nothing fits."""
    return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"


wildcard_constraints:
    study=any_of(project.studies),
    head=any_of(project.heads),
    batch=any_of(BATCHES),
    chrom="[A-Za-z0-9]+",
    prior="|".join(PRIORS),
    form="|".join(EXPORTS),


def of_study(field):
    """Input function: one path of the study's row in studies.tsv, or nothing when it has none."""

    def path(wildcards):
        return getattr(or_stop(project.study, wildcards.study), field) or []

    return path


def row_of(wildcards):
    return or_stop(project.study, wildcards.study)


def param_of_study(field):
    """Params function: a value of the study's row in studies.tsv."""
    return lambda wildcards: getattr(row_of(wildcards), field)


def sumstats_of_study(wildcards):
    """The user's summary statistics, or those of the rule associate."""
    return row_of(wildcards).sumstats or "<results>/{study}/association.tsv.gz"


def meta_of_study(wildcards):
    if row_of(wildcards).genotypes:
        return "<results>/{study}/association.tsv.gz-meta.yaml"
    meta = f"{row_of(wildcards).sumstats}-meta.yaml"
    return meta if is_generated(meta) or Path(meta).is_file() else []


def format_of_study(wildcards):
    """The format's name, the user's own columns of it, or nothing when it is to be recognised."""
    name = row_of(wildcards).format
    return settings.columns.get(name, name) or None


def genotypes_of_study(wildcards):
    return or_stop(files_of_panel, row_of(wildcards).genotypes)


def panel_of_study(wildcards):
    """The files that LD is computed from, or those that hold it."""
    row = row_of(wildcards)
    return (
        or_stop(ld_files, row.ld) if row.ld else or_stop(files_of_panel, row.ld_panel)
    )


def people_of_study(wildcards):
    """The list of people whose LD it is: those who were associated, or the user's; nothing when it is everybody."""
    row = row_of(wildcards)
    return "<results>/{study}/people.txt" if row.genotypes else row.samples or []


def loci_of_batch(wildcards):
    """Names of the batch's loci: what it depends on of a BED file."""
    return LOCI_OF_BED[wildcards.study][int(wildcards.batch)]


def settings_of_harmonise(wildcards):
    return row_of(wildcards).harmonise_settings(as_params(settings.harmonise))


def settings_of_finemap(wildcards):
    """Settings of finemap; a study's row says for its own LD whose it is."""
    return row_of(wildcards).finemap_settings(FINEMAP)


def settings_of_signals(wildcards):
    """SuSiE's defaults with what is known of the study's LD: the config's `finemap` has no say in the prior."""
    return row_of(wildcards).finemap_settings(KNOWN_OF_LD)


def settings_of_simulation():
    """What a simulated study depends on: neither which others there are, nor how many."""
    names = ("heritability", "max_causal", "ld")
    return {name: getattr(settings.calibrate, name) for name in names}


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


def source_of_prior():
    """The settings that say where the functional prior comes from, and no others."""
    names = (
        "source",
        "given",
        "given_column",
        "given_as",
        "supervised",
        "training_rate",
    )
    return {name: getattr(settings.priors, name) for name in names}


def annotation_kinds():
    return {row.name: row.kind for row in project.annotations}


def annotation_files(wildcards):
    """Files that variants are annotated from; `*` in a path stands for several."""
    source = settings.priors.source
    own = {"given": settings.priors.given, "supervised": settings.priors.supervised}
    patterns = [row.path for row in project.annotations] + [own.get(source, "")]
    return sorted(
        {
            file
            for pattern in filter(None, patterns)
            for file in (fitting_files(pattern) or [pattern])
        }
    )


def files_by_chromosome(key):
    """The files of a setting with {chrom}, while the source heritability asks for them."""
    pattern = getattr(settings.priors, key)
    if settings.priors.source != "heritability" or not pattern:
        return []
    return [
        pattern.replace("{chrom}", name)
        for name in chromosomes_of(pattern, suffixes=("",))
    ]


def ld_scores_of_annotations():
    """The user's LD scores, with the sizes beside them, or those of the rule compute_ld_scores."""
    given = files_by_chromosome("heritability_ld_scores")
    if given or settings.priors.source != "heritability":
        sizes = [f"{path.rsplit('.l2.ldscore', 1)[0]}.l2.M" for path in given]
        return given + [path for path in sizes if Path(path).is_file()]
    names = chromosomes_of(settings.priors.heritability_annotations, suffixes=("",))
    return expand(
        "<results>/{{study}}/prior/ld_scores/{chrom}.l2.{what}",
        chrom=names,
        what=("ldscore.parquet", "M"),
    )


def panel_for_bins(wildcards):
    """The panel that LD scores of bins are computed in; nothing with LD files or without bins."""
    row = row_of(wildcards)
    if not row.ld_panel or not settings.priors.heritability_bins:
        return {"panel": [], "samples": []}
    return {"panel": panel_of_study(wildcards), "samples": people_of_study(wildcards)}


def patterns_of_heritability(wildcards, input):
    """Where the files of fit_heritability are: patterns with {chrom}, and the panel."""
    computed = str(Path(input.ld_scores[0]).parent / "{chrom}.l2.ldscore.parquet")
    return {
        "annotations": settings.priors.heritability_annotations,
        "ld_scores": settings.priors.heritability_ld_scores or computed,
        "weights": settings.priors.heritability_weights,
        "panel": row_of(wildcards).ld_panel,
    }


def remark_on_prior(wildcards):
    """What the verdict has to say of the source besides: heritabilities that were not estimated again in bins."""
    if settings.priors.source != "heritability":
        return ""
    if not settings.priors.heritability_bins:
        return "Penalised per-SNP heritabilities are used as they are (priors.heritability_bins is 0)."
    if not row_of(wildcards).ld_panel:
        return "Penalised per-SNP heritabilities are used as they are: there is no panel for LD scores of bins."
    return ""


def values_of_variants(per_batch):
    """What priors are made of, batch by batch: the head's scores for enrichment, annotations where any are asked for."""
    found = {}
    if settings.priors.source == "enrichment":
        found["scores"] = per_batch("<results>/{study}/scores/{batch}.tsv.gz")
    if project.annotations or settings.priors.source != "enrichment":
        found["annotations"] = per_batch("<results>/{study}/annotations/{batch}.tsv.gz")
    return found


def evidence_for_prior(wildcards):
    """The uniform prior depends on the list of variants only: not on scores, and not on `priors` in the config."""
    if wildcards.prior == "uniform":
        return {}
    files = values_of_variants(str) | {
        "enrichment": "<results>/{study}/prior/enrichment.tsv",
        "coefficients": "<results>/{study}/prior/coefficients.tsv",
    }
    if wildcards.prior == "shuffled":
        files["ld"] = "<results>/{study}/ld/{batch}.npz"
    return files


def settings_of_prior(wildcards):
    return {} if wildcards.prior == "uniform" else PRIOR_SETTINGS


def kinds_of_prior(wildcards):
    return {} if wildcards.prior == "uniform" else annotation_kinds()


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


def compared_windows(wildcards):
    """Only where variants share windows."""
    shared = settings.windows.max_offset > 0
    return {"windows": "<results>/{study}/window_comparison.tsv"} if shared else {}


def results_for_export(wildcards):
    """What a form of export is made of."""
    found = {
        "variants": f"<results>/{{study}}/{EXPORTED_PRIOR}/variants.tsv.gz",
        "credible_sets": f"<results>/{{study}}/{EXPORTED_PRIOR}/credible_sets.tsv",
        "loci": "<results>/{study}/loci.tsv",
        "sumstats": "<results>/{study}/sumstats.parquet",
        "fits": [
            f"<results>/{{study}}/finemap/{EXPORTED_PRIOR}/{batch}.fits.npz"
            for batch in BATCHES
        ],
    }
    return {name: found[name] for name in EXPORTS[wildcards.form]}


def settings_of_methods(wildcards):
    """All settings that a study's results rest on, as they are for this study."""
    everything = as_params(settings)
    for name in (
        "studies",
        "tracks",
        "columns",
        "exports",
        "report",
        "store",
        "embedded",
    ):
        del everything[name]
    return everything | {
        "harmonise": settings_of_harmonise(wildcards),
        "finemap": settings_of_finemap(wildcards),
        "evaluation": {"min_r": settings.evaluation.min_r},
    }


def filled_columns(row):
    return {name: value for name, value in as_params(row).items() if value != ""}


def files_behind_results(wildcards):
    """By role, the files of the user and of the backbone that results rest on."""
    studies = []
    for row in project.studies.values():
        studies += [row.sumstats] if row.sumstats else []
        studies += or_stop(ld_files, row.ld) if row.ld else []
        studies += or_stop(files_of_panel, row.ld_panel) if row.ld_panel else []
        named = (row.chain, row.phenotype, row.covariates, row.samples, row.loci)
        studies += [path for path in named if path]
    regions = (settings.regions, settings.loci.exclude_bed, settings.loci.blocks)
    return {
        "weights": backbone_files(wildcards),
        "genome": [settings.genome.fasta],
        "regions": [path for path in regions if path],
        "tracks": list(dict.fromkeys(track.bigwig for track in project.tracks)),
        "studies": list(dict.fromkeys(studies)),
    }


def final_results():
    of_studies = (
        "report.html",
        "scores.tsv.gz",
        "methods.md",
        *(f"export/{f}" for f in settings.exports),
    )
    return [
        f"<results>/{study}/{name}" for study in project.studies for name in of_studies
    ] + ["<results>/provenance/config.yaml"]


def headline():
    """What is printed at the end: where the results are, and their most interesting lines."""
    from fineprior.report.headline import headline

    return "\n".join(headline(Path("results"), list(project.studies)))
