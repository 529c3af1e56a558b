"""Which files each rule reads, for the wildcards of a job.

Methods that take `wildcards` are input functions of rules. They return a path, several, several by name (for `unpack`),
or an empty list where the rule has no such input. Paths may have `<results>` and `{study}`, which Snakemake fills in.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from fineprior.plan.results import EXPORTED_PRIOR, EXPORTS, all_priors
from fineprior.project.panel_files import CHROM, chromosomes_of, fitting_files, ld_files
from fineprior.project.project import FETCHED, GENERATED, Project, files_of_panel, hub_folder, is_generated
from fineprior.project.settings import TUNING_MODES, Settings
from fineprior.project.sheets import Study

Files = str | list[str]
"""One path, several, or none (an empty list)."""
_WEIGHTS = ("config.json", "model.safetensors", "pytorch_model.bin")
_OF_STUDY = ("report.html", "scores.tsv.gz", "methods.md")


class Wildcards(Protocol):
    """Wildcards of a job; a rule has some of these."""

    study: str
    head: str
    batch: str
    chrom: str
    prior: str
    form: str
    ld: str


def any_of(names: Iterable[str]) -> str:
    """The pattern of a wildcard that takes these values; of none, a pattern that nothing fits."""
    return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"


@dataclass(frozen=True)
class Inputs:
    """Input files of all rules.

    Methods raise `InputError` for a study that is not in the sheet, and where a file of a panel or of LD is absent.

    Parameters
    ----------
    project
        Config and sheets.
    repository
        Folder of the workflow, where the files are that it ships.
    """

    project: Project
    repository: Path

    @property
    def settings(self) -> Settings:
        """The settings of the project."""
        return self.project.settings

    def _row(self, wildcards: Wildcards) -> Study:
        return self.project.study(wildcards.study)

    # What there is one of in the whole project

    @property
    def batches(self) -> list[str]:
        """Values of the wildcard `batch`."""
        return [str(batch) for batch in range(self.settings.loci.batches)]

    @property
    def priors(self) -> list[str]:
        """Values of the wildcard `prior`."""
        return all_priors(self.settings.priors.controls)

    @property
    def embedded_tracks(self) -> list[str]:
        """Tracks that the embedded study simulates."""
        tracks = self.project.tracks
        return [row.track for row in tracks if row.bigwig == f"{GENERATED}tracks/{row.track}.bw"]

    def shipped(self, path: str) -> str:
        """A file of the repository: relative where that is the working directory, so a moved clone reruns nothing."""
        return path if self.repository.samefile(Path.cwd()) else str(self.repository / path)

    @property
    def motifs(self) -> str:
        """Motifs of the embedded study's genome."""
        return self.shipped("resources/backbone/motifs.meme")

    @property
    def known_regions(self) -> Files:
        """Regions of long-range LD, unless loci in them stay."""
        return self.shipped("resources/long_range_ld.tsv") if self.settings.loci.exclude != "none" else []

    @property
    def interval_files(self) -> list[str]:
        """The user's BED files of excluded regions and of LD blocks."""
        loci = self.settings.loci
        return [path for path in (loci.exclude_bed, loci.blocks) if path]

    @property
    def regions(self) -> Files:
        """The training regions."""
        return self.settings.regions or []

    @property
    def seen_regions(self) -> Files:
        """Regions that the backbone was trained on, where the config names them."""
        return self.settings.backbone.training_regions or []

    @property
    def labels(self) -> Files:
        """Labelled variants, where the config names them."""
        return self.settings.labels.variants or []

    @property
    def backbone(self) -> list[str]:
        """The files of a local backbone, or the record of a hub's, which the rule fetch_backbone makes."""
        backbone = self.settings.backbone
        folder = Path(backbone.weights)
        if not (folder / "config.json").is_file():
            return [f"{hub_folder(backbone.weights, backbone.revision)}/{FETCHED}"]
        return [str(folder / name) for name in _WEIGHTS if (folder / name).is_file()]

    @property
    def masks(self) -> list[str]:
        """Files that say where targets cannot be trusted."""
        targets = self.settings.targets
        return [path for path in (targets.blacklist, targets.unmappable) if path]

    def final(self) -> list[str]:
        """What the rule `all` requires: the results of each study, and their provenance."""
        names = [*_OF_STUDY, *(f"export/{form}" for form in self.settings.exports)]
        of_studies = [f"<results>/{study}/{name}" for study in self.project.studies for name in names]
        return [*of_studies, "<results>/provenance/config.yaml"]

    # A study's own data

    def given_sumstats(self, wildcards: Wildcards) -> Files:
        """The user's summary statistics."""
        return self._row(wildcards).sumstats or []

    def sumstats(self, wildcards: Wildcards) -> Files:
        """The user's summary statistics, or those of the rule associate."""
        return self.given_sumstats(wildcards) or "<results>/{study}/association.tsv.gz"

    def given_metadata(self, wildcards: Wildcards) -> Files:
        """The GWAS-SSF metadata beside the user's summary statistics, where they are there."""
        sumstats = self._row(wildcards).sumstats
        path = f"{sumstats}-meta.yaml"
        return path if sumstats and (is_generated(path) or Path(path).is_file()) else []

    def metadata(self, wildcards: Wildcards) -> Files:
        """The metadata of `sumstats`."""
        if self._row(wildcards).genotypes:
            return "<results>/{study}/association.tsv.gz-meta.yaml"
        return self.given_metadata(wildcards)

    def genotypes(self, wildcards: Wildcards) -> list[str]:
        """The genotypes that the study is associated in."""
        return files_of_panel(self._row(wildcards).genotypes)

    def phenotype(self, wildcards: Wildcards) -> Files:
        """Phenotypes of the study's own samples."""
        return self._row(wildcards).phenotype or []

    def covariates(self, wildcards: Wildcards) -> Files:
        """Covariates of the study's own samples."""
        return self._row(wildcards).covariates or []

    def chosen_samples(self, wildcards: Wildcards) -> Files:
        """The user's list of samples."""
        return self._row(wildcards).samples or []

    def ld_samples(self, wildcards: Wildcards) -> Files:
        """The samples whose LD it is: those that were associated, or the user's list; nothing when it is all."""
        return "<results>/{study}/people.txt" if self._row(wildcards).genotypes else self.chosen_samples(wildcards)

    def panel(self, wildcards: Wildcards) -> list[str]:
        """The files that LD is computed from, or those that hold it."""
        row = self._row(wildcards)
        return ld_files(row.ld) if row.ld else files_of_panel(row.ld_panel)

    def panel_to_draw(self, wildcards: Wildcards) -> Files:
        """The files of the panel whose people a simulated study's panel is drawn from."""
        drawn = wildcards.ld != "in_sample" and self._row(wildcards).ld_panel
        return self.panel(wildcards) if drawn else []

    def samples_to_draw(self, wildcards: Wildcards) -> Files:
        """The samples that are kept of it."""
        return self.ld_samples(wildcards) if self.panel_to_draw(wildcards) else []

    def simulated_counts(self, wildcards: Wildcards) -> list[str]:
        """Counts of all simulated studies of a study."""
        return self._simulated(wildcards, "counts")

    def simulated_bins(self, wildcards: Wildcards) -> list[str]:
        """Bins of the same."""
        return self._simulated(wildcards, "bins")

    def _simulated(self, wildcards: Wildcards, kind: str) -> list[str]:
        calibrate = self.settings.calibrate
        ld = self._row(wildcards).finemap_settings({"ld": self.settings.finemap.ld})["ld"]
        return [
            f"<results>/{{study}}/calibrate/{question}.{scenario}.{number}.{kind}.tsv"
            for question in calibrate.questions(ld)
            for scenario in calibrate.scenarios
            for number in range(calibrate.replicates)
        ]

    def panel_fst(self, wildcards: Wildcards) -> Files:
        """How far the panel is from the GWAS; nothing for LD of the study's own samples."""
        return [] if self._row(wildcards).genotypes else "<results>/{study}/panel_fst.tsv"

    def fst_of_panel_ld(self, wildcards: Wildcards) -> Files:
        """The same, where the study is fine-mapped with LD of a panel."""
        own = self._row(wildcards).finemap_settings({"ld": self.settings.finemap.ld})["ld"]
        return self.panel_fst(wildcards) if own == "panel" else []

    def chain(self, wildcards: Wildcards) -> Files:
        """The chain file that lifts the summary statistics over."""
        return self._row(wildcards).chain or []

    def loci_bed(self, wildcards: Wildcards) -> Files:
        """The user's BED file of loci."""
        return self._row(wildcards).loci or []

    def truth(self, wildcards: Wildcards) -> Files:
        """The causal variants, where they are known."""
        return self._row(wildcards).truth or []

    # Heads and scores

    def bigwigs(self, wildcards: Wildcards) -> list[str]:
        """The tracks of a head."""
        return [row.bigwig for row in self.project.head_tracks(wildcards.head)]

    def head(self, wildcards: Wildcards) -> str:
        """The head that the study uses."""
        return self._of_head(wildcards, "head.safetensors")

    def head_metrics(self, wildcards: Wildcards) -> str:
        """Quality of the study's head."""
        return self._of_head(wildcards, "metrics.tsv")

    def head_tables(self, wildcards: Wildcards) -> dict[str, str]:
        """What the report shows of the study's head."""
        names = {"head_metrics": "metrics", "history": "history", "baselines": "baselines", "curve": "learning_curve",
                 "folds": "folds", "scatter": "scatter"}  # fmt: skip
        return {name: self._of_head(wildcards, f"{file}.tsv") for name, file in names.items()}

    def _of_head(self, wildcards: Wildcards, name: str) -> str:
        return f"<results>/heads/{self._row(wildcards).head}/{name}"

    def tuned_head(self, wildcards: Wildcards) -> Files:
        """The study's head where its training changes the backbone: its variants are then embedded with that."""
        return self.head(wildcards) if self.settings.head.mode in TUNING_MODES else []

    @property
    def labelled_head(self) -> Files:
        """The head that is trained on labelled variants."""
        return "<results>/labels/variant_head.npz" if self.settings.labels.variants else []

    def compared_windows(self, wildcards: Wildcards) -> dict[str, str]:
        """The comparison of scores in own and in shared windows, where variants share any."""
        shared = self.settings.windows.max_offset > 0
        return {"windows": "<results>/{study}/window_comparison.tsv"} if shared else {}

    # The prior

    @cached_property
    def annotation_files(self) -> list[str]:
        """Files that variants are annotated from; `*` in a path stands for several."""
        priors = self.settings.priors
        own = {"given": priors.given, "supervised": priors.supervised}.get(priors.source, "")
        patterns = [*(row.path for row in self.project.annotations), own]
        return sorted({file for pattern in patterns if pattern for file in fitting_files(pattern) or [pattern]})

    @property
    def heritability(self) -> Files:
        """Per-SNP heritabilities, where they are the source of the prior."""
        estimated = self.settings.priors.source == "heritability"
        return "<results>/{study}/prior/heritability.parquet" if estimated else []

    @property
    def causal_probabilities(self) -> Files:
        """Probabilities of the head on labelled variants, where they are the source of the prior."""
        priors = self.settings.priors
        predicted = priors.source == "supervised" and not priors.supervised
        return "<results>/{study}/causal_probabilities.tsv.gz" if predicted else []

    @cached_property
    def heritability_annotations(self) -> list[str]:
        """The annotations that heritability is estimated for, by chromosome."""
        return self._by_chromosome(self.settings.priors.heritability_annotations)

    @cached_property
    def heritability_weights(self) -> list[str]:
        """LD scores that weigh the regression, by chromosome."""
        return self._by_chromosome(self.settings.priors.heritability_weights)

    @cached_property
    def ld_scores(self) -> list[str]:
        """The user's LD scores, with the sizes beside them, or those of the rule compute_ld_scores."""
        priors = self.settings.priors
        given = self._by_chromosome(priors.heritability_ld_scores)
        if given or priors.source != "heritability":
            sizes = [f"{path.rsplit('.l2.ldscore', 1)[0]}.l2.M" for path in given]
            return given + [path for path in sizes if Path(path).is_file()]
        names = chromosomes_of(priors.heritability_annotations, suffixes=("",))
        parts = ("ldscore.parquet", "M")
        return [f"<results>/{{study}}/prior/ld_scores/{name}.l2.{part}" for name in names for part in parts]

    def _by_chromosome(self, pattern: str) -> list[str]:
        """The files of a setting with {chrom}, where heritability is the source of the prior."""
        if self.settings.priors.source != "heritability" or not pattern:
            return []
        return [pattern.replace(CHROM, name) for name in chromosomes_of(pattern, suffixes=("",))]

    def chromosome_annotations(self, wildcards: Wildcards) -> str:
        """The annotations of one chromosome."""
        return self.settings.priors.heritability_annotations.replace(CHROM, wildcards.chrom)

    def panel_for_bins(self, wildcards: Wildcards) -> dict[str, Files]:
        """The panel that LD scores of bins are computed in; nothing with LD files or without bins."""
        if not self._row(wildcards).ld_panel or not self.settings.priors.heritability_bins:
            return {"panel": [], "samples": []}
        return {"panel": self.panel(wildcards), "samples": self.ld_samples(wildcards)}

    @property
    def values_of_variants(self) -> dict[str, str]:
        """What priors are made of, for one batch: the head's scores for enrichment, annotations where there are any."""
        found = {}
        enrichment = self.settings.priors.source == "enrichment"
        if enrichment:
            found["scores"] = "<results>/{study}/scores/{batch}.tsv.gz"
        if self.project.annotations or not enrichment:
            found["annotations"] = "<results>/{study}/annotations/{batch}.tsv.gz"
        return found

    @property
    def values_of_all_variants(self) -> dict[str, list[str]]:
        """The same of all batches."""
        return {
            name: [path.replace("{batch}", batch) for batch in self.batches]
            for name, path in self.values_of_variants.items()
        }

    def evidence(self, wildcards: Wildcards) -> dict[str, str]:
        """What a prior is assigned from. The uniform one depends on the list of variants only, and not on scores."""
        if wildcards.prior == "uniform":
            return {}
        files = self.values_of_variants | {
            "enrichment": "<results>/{study}/prior/enrichment.tsv",
            "coefficients": "<results>/{study}/prior/coefficients.tsv",
        }
        return files | ({"ld": "<results>/{study}/ld/{batch}.npz"} if wildcards.prior == "shuffled" else {})

    # Results

    def under_each_prior(self, **tables: str) -> dict[str, str]:
        """Inputs `<name>_<prior>`: gathered tables under each prior, by their names."""
        return {
            f"{name}_{prior}": f"<results>/{{study}}/{prior}/{table}"
            for name, table in tables.items()
            for prior in self.priors
        }

    @property
    def gene_tables(self) -> dict[str, str]:
        """Genes of variants and loci, where the config names a file of genes."""
        if not self.settings.genome.genes:
            return {}
        return {
            "variant_genes": "<results>/{study}/variant_genes.tsv.gz",
            "locus_genes": "<results>/{study}/locus_genes.tsv",
        }

    def truth_tables(self, wildcards: Wildcards) -> dict[str, str]:
        """How the priors compare with the truth, where it is known."""
        if not self._row(wildcards).truth:
            return {}
        return {
            "truth_comparison": "<results>/{study}/truth_comparison.tsv",
            "calibration": "<results>/{study}/calibration.tsv",
        }

    def export(self, wildcards: Wildcards) -> dict[str, Files]:
        """What a form of export is made of."""
        exported = f"<results>/{{study}}/{EXPORTED_PRIOR}"
        found: dict[str, Files] = {
            "variants": f"{exported}/variants.tsv.gz",
            "credible_sets": f"{exported}/credible_sets.tsv",
            "loci": "<results>/{study}/loci.tsv",
            "sumstats": "<results>/{study}/sumstats.parquet",
            "fits": [f"<results>/{{study}}/finemap/{EXPORTED_PRIOR}/{batch}.fits.npz" for batch in self.batches],
        }
        return {name: found[name] for name in EXPORTS[wildcards.form]}

    def behind_results(self, wildcards: Wildcards) -> dict[str, list[str]]:
        """By role, the files of the user and of the backbone that all results rest on."""
        studies: list[str] = []
        for row in self.project.studies.values():
            studies += [row.sumstats]
            studies += ld_files(row.ld) if row.ld else []
            studies += files_of_panel(row.ld_panel) if row.ld_panel else []
            studies += [row.chain, row.phenotype, row.covariates, row.samples, row.loci]
        regions = [self.settings.regions, self.settings.loci.exclude_bed, self.settings.loci.blocks]
        return {
            "weights": self.backbone,
            "genome": [path for path in (self.settings.genome.fasta, self.settings.genome.genes) if path],
            "regions": [path for path in regions if path],
            "tracks": list(dict.fromkeys(row.bigwig for row in self.project.tracks)),
            "studies": [path for path in dict.fromkeys(studies) if path],
        }
