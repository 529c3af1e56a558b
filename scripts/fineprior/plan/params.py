"""Which values each rule depends on besides its files: its `params`, for the wildcards of a job.

Snakemake runs a job again when the text (`repr`) of one of these values changes. So they are plain values, and dicts of
a fixed order, and hold only what changes the rule's results.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fineprior.genome.bed import loci_by_batch
from fineprior.plan.inputs import Wildcards
from fineprior.plan.provenance import Fingerprints, code_digest, software_versions
from fineprior.plan.stages import STAGES
from fineprior.project.project import GENERATED, HUB_BACKBONES, Project
from fineprior.project.settings import TUNING_MODES, FinemapSettings, Settings, as_params
from fineprior.project.sheets import Study

Source = str | Iterable[str] | Mapping[str, Any] | Callable[[Wildcards], Any]
"""Paths, also by name, or an input function that returns them."""
_MADE = ("<results>/", GENERATED, f"{HUB_BACKBONES}/")
"""How the paths of files begin that the workflow makes."""
_NOT_IN_METHODS = ("studies", "tracks", "columns", "exports", "report", "store", "embedded")
_SEARCHES = {("search", "in_sample"), ("search_panel", "in_sample"), ("search_panel", "panel")}
"""Posterior and LD of fits that draw."""
_OF_SOURCE = ("source", "given", "given_column", "given_as", "supervised", "training_rate")
_OF_SIMULATION = ("heritability", "max_causal")
_AS_THEY_ARE = "Penalised per-SNP heritabilities are used as they are"


@dataclass(frozen=True)
class Params:
    """Values of all rules.

    Methods raise `InputError` for a study or a head that is not in the sheets.

    Parameters
    ----------
    project
        Config and sheets.
    fingerprints
        Digests of the user's files.
    """

    project: Project
    fingerprints: Fingerprints

    @property
    def settings(self) -> Settings:
        """The settings of the project."""
        return self.project.settings

    def _row(self, wildcards: Wildcards) -> Study:
        return self.project.study(wildcards.study)

    def contents(self, *sources: Source) -> Callable[[Wildcards], dict[str, str]]:
        """Params function: digests of the user's files among some inputs.

        Without them a file that is replaced by an older one would go unseen. Params that are made of `input` itself
        would not do: Snakemake does not compare them.
        """

        def digests(wildcards: Wildcards) -> dict[str, str]:
            found = [path for source in sources for path in _paths(source, wildcards)]
            return self.fingerprints.of(path for path in found if path and not path.startswith(_MADE))

        return digests

    # A study's row of studies.tsv

    def genotypes(self, wildcards: Wildcards) -> str:
        """The study's own genotypes, as the sheet names them."""
        return self._row(wildcards).genotypes

    def panel(self, wildcards: Wildcards) -> str:
        """The genotypes that LD is computed from, as the sheet names them."""
        return self._row(wildcards).ld_panel

    def ld(self, wildcards: Wildcards) -> str:
        """LD that is computed already, as the sheet names it."""
        return self._row(wildcards).ld

    def build(self, wildcards: Wildcards) -> str:
        """The build of the summary statistics."""
        return self._row(wildcards).build

    def sizes(self, wildcards: Wildcards) -> dict[str, float]:
        """The sample sizes that the sheet gives."""
        return self._row(wildcards).sizes

    def layout(self, wildcards: Wildcards) -> str | dict[str, str] | None:
        """The format's name, the user's own columns of it, or nothing when it is to be recognised."""
        name = self._row(wildcards).format
        return self.settings.columns.get(name, name) or None

    def source(self, wildcards: Wildcards) -> dict[str, str]:
        """All that the sheet says of the study, as text."""
        return {name: str(value) for name, value in _filled(self._row(wildcards)).items()}

    @cached_property
    def loci_of_bed(self) -> dict[str, list[list[str]]]:
        """For each study with a BED file of loci, their names by batch."""
        batches = self.settings.loci.batches
        return {name: loci_by_batch(row.loci, batches) for name, row in self.project.studies.items() if row.loci}

    def loci(self, wildcards: Wildcards) -> list[str]:
        """Names of the batch's loci: what it depends on of a BED file."""
        return self.loci_of_bed[wildcards.study][int(wildcards.batch)]

    # Settings, as they are for a study

    def harmonise(self, wildcards: Wildcards) -> dict[str, Any]:
        """Settings of harmonise_sumstats."""
        return self._row(wildcards).harmonise_settings(as_params(self.settings.harmonise))

    @cached_property
    def _finemap(self) -> dict[str, Any]:
        return as_params(self.settings.finemap)

    def finemap(self, wildcards: Wildcards) -> dict[str, Any]:
        """Settings of finemap; a study's row says for its own LD whose it is."""
        return self._row(wildcards).finemap_settings(self._finemap)

    def diagnosis(self, wildcards: Wildcards) -> dict[str, Any]:
        """Settings of diagnose_ld: what is known of the study's LD."""
        own = self.finemap(wildcards)
        return {name: own[name] for name in ("ld", "panel_size")}

    def seed_of_search(self, wildcards: Wildcards) -> int:
        """The seed of finemap; 0 for a study whose PIPs are SuSiE's, which draws nothing."""
        finemap = self.finemap(wildcards)
        searches = finemap["model"] == "susie" and (finemap["posterior"], finemap["ld"]) in _SEARCHES
        return self.settings.seed if searches else 0

    def model(self, wildcards: Wildcards) -> str:
        """The model of fine-mapping."""
        model: str = self.finemap(wildcards)["model"]
        return model

    @cached_property
    def _known_of_ld(self) -> dict[str, Any]:
        finemap = self.settings.finemap
        return as_params(FinemapSettings(ld=finemap.ld, panel_size=finemap.panel_size, max_fst=finemap.max_fst))

    def signals(self, wildcards: Wildcards) -> dict[str, Any]:
        """SuSiE's defaults with what is known of the study's LD: no other setting of `finemap` enters the prior."""
        return self._row(wildcards).finemap_settings(self._known_of_ld)

    def methods(self, wildcards: Wildcards) -> dict[str, Any]:
        """All settings that the study's results rest on."""
        everything = {name: value for name, value in as_params(self.settings).items() if name not in _NOT_IN_METHODS}
        return everything | {
            "harmonise": self.harmonise(wildcards),
            "finemap": self.finemap(wildcards),
            "evaluation": {"min_r": self.settings.evaluation.min_r},
        }

    # Heads

    @property
    def tunes_backbone(self) -> bool:
        """Whether training a head changes the backbone."""
        return self.settings.head.mode in TUNING_MODES

    @property
    def training_memory(self) -> int:
        """Memory in MB of training a head, without its embeddings."""
        return 8000 if self.tunes_backbone else 4000

    @property
    def training_minutes(self) -> int:
        """Minutes that training a head may take."""
        return 2880 if self.tunes_backbone else 120

    @property
    def evaluation_minutes(self) -> int:
        """Minutes that its evaluation may take: the learning curve trains on a half, a quarter, ... of the regions."""
        return 2880 if self.tunes_backbone else 240

    def tracks(self, wildcards: Wildcards) -> list[str]:
        """Names of the tracks of a head."""
        return [row.track for row in self.project.head_tracks(wildcards.head)]

    def targets(self, wildcards: Wildcards) -> dict[str, list[Any]]:
        """How the signal of each track of the head becomes targets, and what else the sheet says of it."""
        rows = self.project.head_tracks(wildcards.head)
        return {
            "targets": [as_params(row.targets(self.settings.targets, row.track)) for row in rows],
            "weights": [row.loss_weight(row.track) for row in rows],
            "strand_pairs": [row.strand_pair for row in rows],
        }

    @property
    def evaluation(self) -> dict[str, Any]:
        """Settings of evaluate_head, without the threshold that later rules apply to its results."""
        return {name: value for name, value in as_params(self.settings.evaluation).items() if name != "min_r"}

    # The prior

    @property
    def source_of_prior(self) -> dict[str, Any]:
        """The settings that say where the functional prior comes from, and no others."""
        return {name: getattr(self.settings.priors, name) for name in _OF_SOURCE}

    @property
    def annotations(self) -> list[dict[str, Any]]:
        """The rows of the sheet of annotations."""
        return [as_params(row) for row in self.project.annotations]

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each annotation."""
        return {row.name: row.kind for row in self.project.annotations}

    @cached_property
    def _prior(self) -> dict[str, Any]:
        return as_params(self.settings.priors)

    def prior(self, wildcards: Wildcards) -> dict[str, Any]:
        """Settings of a prior; the uniform one depends on none."""
        return {} if wildcards.prior == "uniform" else self._prior

    def kinds_of_prior(self, wildcards: Wildcards) -> dict[str, str]:
        """The kinds of annotations that a prior depends on."""
        return {} if wildcards.prior == "uniform" else self.kinds

    def heritability_annotations(self, wildcards: Wildcards) -> str:
        """The pattern of annotations by chromosome; of a function, for in text Snakemake would replace `{chrom}`."""
        return self.settings.priors.heritability_annotations

    def heritability_files(self, wildcards: Wildcards, input: Any) -> dict[str, str]:
        """Where the files of fit_heritability are: patterns with {chrom}, and the panel."""
        priors = self.settings.priors
        computed = str(Path(input.ld_scores[0]).parent / "{chrom}.l2.ldscore.parquet")
        return {
            "annotations": priors.heritability_annotations,
            "ld_scores": priors.heritability_ld_scores or computed,
            "weights": priors.heritability_weights,
            "panel": self._row(wildcards).ld_panel,
        }

    def remark(self, wildcards: Wildcards) -> str:
        """A further sentence of the verdict, where heritabilities were not estimated again in bins."""
        priors = self.settings.priors
        if priors.source != "heritability":
            return ""
        if not priors.heritability_bins:
            return f"{_AS_THEY_ARE} (priors.heritability_bins is 0)."
        return "" if self._row(wildcards).ld_panel else f"{_AS_THEY_ARE}: there is no panel for LD scores of bins."

    # Calibration and provenance

    def simulation(self, wildcards: Wildcards) -> dict[str, Any]:
        """Settings that a simulated study depends on: not the lists of questions and scenarios, nor replicates."""
        names = (*_OF_SIMULATION, "fst") if wildcards.ld == "panel" else _OF_SIMULATION
        return {name: getattr(self.settings.calibrate, name) for name in names}

    def panel_to_draw(self, wildcards: Wildcards) -> str:
        """The panel whose people a panel is drawn from; empty where none is drawn, or LD is of LD files."""
        return "" if wildcards.ld == "in_sample" else self._row(wildcards).ld_panel

    @property
    def sheets(self) -> dict[str, list[dict[str, Any]]]:
        """The rows of studies.tsv and tracks.tsv."""
        return {
            "studies": [_filled(row) for row in self.project.studies.values()],
            "tracks": [as_params(row) for row in self.project.tracks],
        }

    @property
    def code_of_rules(self) -> dict[str, str]:
        """Digest of the code behind each rule."""
        return {rule: code_digest(rule) for rules in STAGES.values() for rule in rules}

    @property
    def software(self) -> dict[str, str]:
        """Versions of all packages."""
        return software_versions()

    @property
    def versions(self) -> dict[str, str]:
        """Versions that the methods of a study name."""
        return {name: self.software[name] for name in ("fineprior", "snakemake")}


def _paths(source: Source, wildcards: Wildcards) -> list[str]:
    """Paths among the inputs that a source stands for."""
    found = source(wildcards) if callable(source) else source
    several = list(found.values()) if isinstance(found, Mapping) else [found]
    return [path for some in several for path in ([some] if isinstance(some, str) else some or [])]


def _filled(row: Study) -> dict[str, Any]:
    return {name: value for name, value in as_params(row).items() if value != ""}


def growing(start: int) -> Callable[[Any, int], int]:
    """`start` at the first attempt, twice as much at each further one."""

    def grown(wildcards: Any, attempt: int) -> int:
        return start * 2 ** (attempt - 1)

    return grown


def memory_of_files(start: float, factor: float, *names: str, most: float = math.inf) -> Callable[[Any, Any, int], int]:
    """`start` MB, and `factor` times the size of the inputs of these names, of which at most `most` MB count."""

    def memory(wildcards: Any, input: Any, attempt: int) -> int:
        # Before a job's turn some of its inputs are not there yet; Snakemake asks again when they are.
        files = [Path(file) for name in names for file in _several(input.get(name))]
        size = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
        return int(start + factor * min(size, most)) * 2 ** (attempt - 1)

    return memory


def memory_of_ld(max_memory_mb: int) -> Callable[[Any, int, int], int]:
    """LD of one locus in each process, which `ld.max_memory_mb` limits whatever the numbers of variants and samples."""

    def memory(wildcards: Any, threads: int, attempt: int) -> int:
        return (500 + threads * max_memory_mb) * 2 ** (attempt - 1)

    return memory


def memory_of_windows(batch_size: int, context_length: int) -> Callable[[Any, int], int]:
    """The model on its way to the GPU, and the letters of a batch of windows (16 bytes each, twice).

    With a `batch_size` of 0 as many windows are in a batch as fit, which are rarely more than 64.
    """
    return growing(8000 + int((batch_size or 64) * context_length * 32 / 1e6))


def _several(files: Any) -> list[str]:
    return [files] if isinstance(files, str) else files or []
