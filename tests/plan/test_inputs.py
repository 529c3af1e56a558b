"""Which files a rule reads: each decision, on small projects in a folder of their own."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from fineprior.files.errors import InputError
from fineprior.plan.inputs import Inputs, any_of
from fineprior.project.project import Annotation, Project, Track
from fineprior.project.settings import Settings
from fineprior.project.sheets import Study

STUDY = Study("a", "h", sumstats="gwas.tsv", panel="panel")
OWN = Study("a", "h", genotypes="own", phenotype="trait.txt", covariates="age.txt", samples="keep.txt")
A = SimpleNamespace(study="a", head="h", batch="0", chrom="2", prior="functional", form="bed")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names):
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def panel(prefix):
    files = [f"{prefix}{suffix}" for suffix in (".bed", ".bim", ".fam")]
    touch(*files)
    return files


def inputs(*studies, tracks=(), annotations=(), repository=".", **blocks):
    """Inputs of a project with these rows, and with some settings of some blocks."""
    settings = Settings()
    for name, values in blocks.items():
        block = replace(getattr(settings, name), **values) if isinstance(values, dict) else values
        settings = replace(settings, **{name: block})
    rows = {row.study: row for row in studies or (STUDY,)}
    return Inputs(Project(settings, rows, list(tracks), list(annotations)), Path(repository))


def test_wildcards_take_the_names_that_there_are_and_no_others():
    assert any_of(["b.c", "a"]) == r"a|b\.c"
    assert any_of([]) == "(?!)"
    found = inputs(loci={"batches": 3}, priors={"controls": ["tss"]})
    assert found.batches == ["0", "1", "2"]
    assert found.priors == ["uniform", "functional", "shuffled", "tss"]


SIMULATED = {"scenarios": ["noise", "inverted"], "replicates": 2, "ld": ["panel", "in_sample"]}


def simulated(row, **settings):
    return [path.split("/")[-1] for path in inputs(row, **settings).simulated_counts(A)]


def test_simulated_studies_are_named_by_question_scenario_and_number():
    found = simulated(STUDY, calibrate=SIMULATED)
    assert found[:4] == [f"panel.{one}.counts.tsv" for one in ("noise.0", "noise.1", "inverted.0", "inverted.1")]
    assert [path.split(".")[0] for path in found] == ["panel"] * 4 + ["in_sample"] * 4


@pytest.mark.parametrize(
    ("row", "finemap"),
    [(replace(STUDY, in_sample=True), {}), (STUDY, {"ld": "in_sample"}), (STUDY, {"ld": "none"})],
)
def test_a_study_without_a_panel_is_not_asked_about_panels(row, finemap):
    found = simulated(row, calibrate=SIMULATED, finemap=finemap)
    assert {path.split(".")[0] for path in found} == {"in_sample"}


def test_a_panel_is_read_where_another_is_drawn_from_it():
    files = panel("panel")
    touch("ukb/chr1_1_2.npz", "ukb/chr1_1_2.gz")
    kept = inputs(replace(STUDY, samples="keep.txt"))
    for question in ("panel", "undrifted_panel"):
        job = SimpleNamespace(study="a", ld=question)
        assert kept.panel_to_draw(job) == files
        assert kept.samples_to_draw(job) == "keep.txt"
        assert inputs(replace(STUDY, panel="", ld="ukb")).panel_to_draw(job) == [], "its LD has no people"
    job = SimpleNamespace(study="a", ld="in_sample")
    assert (kept.panel_to_draw(job), kept.samples_to_draw(job)) == ([], [])


def test_tracks_are_simulated_where_the_sheet_names_the_embedded_ones():
    rows = [Track("h", "x", "resources/embedded/tracks/x.bw"), Track("h", "y", "resources/embedded/tracks/x.bw"),
            Track("h", "z", "z.bw")]  # fmt: skip
    assert inputs(tracks=rows).embedded_tracks == ["x"]


def test_files_of_the_repository_are_relative_only_where_it_is_the_working_directory(folder, tmp_path_factory):
    here, elsewhere = inputs(), inputs(repository=tmp_path_factory.mktemp("other"))
    assert here.motifs == "resources/backbone/motifs.meme"
    assert elsewhere.motifs == str(elsewhere.repository / "resources/backbone/motifs.meme")
    assert here.known_regions == "resources/long_range_ld.tsv"
    assert inputs(loci={"exclude": "none"}).known_regions == []


def test_files_that_settings_name_or_not():
    empty = inputs()
    assert (empty.interval_files, empty.regions, empty.masks) == ([], [], [])
    assert (empty.seen_regions, empty.labels) == ([], [])
    assert inputs(backbone={"training_regions": "seen.bed"}).seen_regions == "seen.bed"
    assert inputs(labels={"variants": "labels.tsv"}).labels == "labels.tsv"
    found = inputs(
        loci={"exclude_bed": "x.bed", "blocks": "b.bed"},
        targets={"blacklist": "black.bed", "unmappable": "un.bed"},
        regions="r.bed",
    )
    assert (found.interval_files, found.regions) == (["x.bed", "b.bed"], "r.bed")
    assert found.masks == ["black.bed", "un.bed"]
    assert inputs(targets={"unmappable": "un.bed"}).masks == ["un.bed"]


def test_a_local_backbone_is_its_files_and_a_hub_s_the_record_of_its_download():
    touch("model/config.json", "model/model.safetensors", "model/notes.txt")
    assert inputs(backbone={"weights": "model"}).backbone == ["model/config.json", "model/model.safetensors"]
    touch("old/config.json", "old/pytorch_model.bin")
    assert inputs(backbone={"weights": "old"}).backbone == ["old/config.json", "old/pytorch_model.bin"]
    hub = inputs(backbone={"weights": "owner/model", "revision": "abc"})
    assert hub.backbone == ["resources/backbones/owner--model@abc/fetched.json"]


def test_final_results_are_those_of_each_study_with_its_exports():
    found = inputs(STUDY, replace(STUDY, study="b"), exports=["ssf"]).final()
    names = ("report.html", "scores.tsv.gz", "methods.md", "export/ssf")
    assert found == [*(f"<results>/{study}/{name}" for study in "ab" for name in names),
                     "<results>/provenance/config.yaml"]  # fmt: skip


def test_summary_statistics_of_the_user():
    found = inputs()
    assert found.sumstats(A) == found.given_sumstats(A) == "gwas.tsv"
    assert found.metadata(A) == found.given_metadata(A) == []
    touch("gwas.tsv-meta.yaml")
    assert found.metadata(A) == found.given_metadata(A) == "gwas.tsv-meta.yaml"


def test_metadata_of_the_embedded_study_need_not_be_there_yet():
    found = inputs(replace(STUDY, sumstats="resources/embedded/gwas.tsv.gz"))
    assert found.metadata(A) == "resources/embedded/gwas.tsv.gz-meta.yaml"


def test_a_study_s_own_genotypes_are_associated_and_its_ld_is_of_those_samples():
    files, found = panel("own"), inputs(OWN)
    assert found.genotypes(A) == found.panel(A) == files
    assert (found.phenotype(A), found.covariates(A), found.chosen_samples(A)) == ("trait.txt", "age.txt", "keep.txt")
    assert (found.given_sumstats(A), found.given_metadata(A)) == ([], [])
    assert found.sumstats(A) == "<results>/{study}/association.tsv.gz"
    assert found.metadata(A) == "<results>/{study}/association.tsv.gz-meta.yaml"
    assert found.ld_samples(A) == "<results>/{study}/people.txt"


def test_ld_of_a_panel_and_of_the_samples_that_the_sheet_names():
    files = panel("panel")
    assert inputs().panel(A) == files
    assert inputs().ld_samples(A) == inputs().chosen_samples(A) == []
    assert inputs(replace(STUDY, samples="keep.txt")).ld_samples(A) == "keep.txt"
    with pytest.raises(InputError, match=r"panel 'no': neither .bed nor .pgen exists"):
        inputs(replace(STUDY, panel="no")).panel(A)


def test_a_panel_is_compared_with_the_gwas_whosever_ld_the_settings_say_it_is():
    """So that another `finemap.ld` computes no LD again; what is said of the panel depends on it."""
    compared = "<results>/{study}/panel_fst.tsv"
    in_sample, no_panel = inputs(replace(STUDY, in_sample=True)), inputs(replace(STUDY, panel="", ld="ukb"))
    assert [found.panel_fst(A) for found in (inputs(), in_sample, no_panel)] == [compared] * 3
    assert [found.fst_of_panel_ld(A) for found in (inputs(), in_sample, no_panel)] == [compared, [], compared]
    assert (inputs(OWN).panel_fst(A), inputs(OWN).fst_of_panel_ld(A)) == ([], [])
    assert inputs(finemap={"ld": "none"}).fst_of_panel_ld(A) == []


def test_ld_of_a_panel_by_chromosome():
    first, second = panel("p/1"), panel("p/2")
    assert inputs(replace(STUDY, panel="p/{chrom}")).panel(A) == first + second


def test_ld_files_in_place_of_a_panel():
    touch("ld/1.npz", "ld/1.gz", "ld/readme.txt")
    assert inputs(replace(STUDY, panel="", ld="ld")).panel(A) == ["ld/1.gz", "ld/1.npz"]
    with pytest.raises(InputError, match="'no' is neither a table of LD files nor a folder"):
        inputs(replace(STUDY, panel="", ld="no")).panel(A)


def test_the_embedded_panel_need_not_be_there_yet():
    found = inputs(replace(STUDY, panel="resources/embedded/panel"))
    assert found.panel(A) == [f"resources/embedded/panel{suffix}" for suffix in (".bed", ".bim", ".fam")]


@pytest.mark.parametrize(
    ("column", "method"), [("chain", "chain"), ("loci", "loci_bed"), ("truth", "truth"), ("phenotype", "phenotype"),
                           ("covariates", "covariates"), ("samples", "chosen_samples")],
)  # fmt: skip
def test_a_column_that_is_empty_is_no_input(column, method):
    assert getattr(inputs(), method)(A) == []
    assert getattr(inputs(replace(STUDY, **{column: "file"})), method)(A) == "file"


def test_a_study_that_is_not_in_the_sheet():
    with pytest.raises(InputError, match=r"study 'b' is not in .*; it has: a"):
        inputs().sumstats(SimpleNamespace(study="b"))


def test_files_of_the_study_s_head():
    found = inputs()
    assert found.head(A) == "<results>/heads/h/head.safetensors"
    assert found.head_metrics(A) == "<results>/heads/h/metrics.tsv"
    tables = found.head_tables(A)
    assert list(tables) == ["head_metrics", "history", "baselines", "curve", "folds", "scatter"]
    assert tables["curve"] == "<results>/heads/h/learning_curve.tsv"


def test_tracks_of_a_head_and_of_no_other():
    tracks = [Track("h", "x", "x.bw"), Track("other", "y", "y.bw"), Track("h", "z", "z.bw")]
    assert inputs(tracks=tracks).bigwigs(A) == ["x.bw", "z.bw"]
    with pytest.raises(InputError, match="head 'none' has no row"):
        inputs(tracks=tracks).bigwigs(SimpleNamespace(head="none"))


@pytest.mark.parametrize(("mode", "embeds"), [("linear", False), ("mlp", False), ("lora", True), ("full", True)])
def test_variants_are_embedded_with_a_head_that_changes_the_backbone(mode, embeds):
    assert inputs(head={"mode": mode}).tuned_head(A) == ("<results>/heads/h/head.safetensors" if embeds else [])


def test_a_head_on_labelled_variants():
    assert inputs().labelled_head == []
    assert inputs(labels={"variants": "labels.tsv"}).labelled_head == "<results>/labels/variant_head.npz"


def test_windows_are_compared_where_variants_share_them():
    assert inputs(windows={"max_offset": 0}).compared_windows(A) == {}
    shared = inputs(windows={"max_offset": 8}).compared_windows(A)
    assert shared == {"windows": "<results>/{study}/window_comparison.tsv"}


SCORES = "<results>/{study}/scores/{batch}.tsv.gz"
ANNOTATIONS = "<results>/{study}/annotations/{batch}.tsv.gz"


@pytest.mark.parametrize(
    ("source", "annotated", "expected"),
    [
        ("enrichment", False, {"scores": SCORES}),
        ("enrichment", True, {"scores": SCORES, "annotations": ANNOTATIONS}),
        ("given", False, {"annotations": ANNOTATIONS}),
        ("heritability", True, {"annotations": ANNOTATIONS}),
    ],
)
def test_what_priors_are_made_of(source, annotated, expected):
    rows = [Annotation("peaks", "bed", "peaks.bed")] if annotated else []
    found = inputs(annotations=rows, priors={"source": source}, loci={"batches": 2})
    assert found.values_of_variants == expected
    assert found.values_of_all_variants == {
        name: [path.replace("{batch}", batch) for batch in "01"] for name, path in expected.items()
    }


def test_the_uniform_prior_depends_on_no_score_and_only_the_shuffled_one_on_ld():
    evidence = {prior: inputs().evidence(SimpleNamespace(prior=prior)) for prior in (*inputs().priors, "tss")}
    assert evidence["uniform"] == {}
    assert evidence["functional"] == evidence["tss"] == {
        "scores": SCORES,
        "enrichment": "<results>/{study}/prior/enrichment.tsv",
        "coefficients": "<results>/{study}/prior/coefficients.tsv",
    }  # fmt: skip
    assert evidence["shuffled"] == evidence["functional"] | {"ld": "<results>/{study}/ld/{batch}.npz"}


def test_annotation_files_with_those_of_the_prior_s_source():
    touch("b/1.tsv", "b/2.tsv", "b/3.txt", "own.tsv")
    rows = [Annotation("x", "value", "b/*.tsv"), Annotation("y", "bed", "not there.bed")]
    found = ["b/1.tsv", "b/2.tsv", "not there.bed"]
    given = {"given": "own.tsv", "supervised": "b/3.txt"}
    assert inputs(annotations=rows, priors=given).annotation_files == found
    assert inputs(annotations=rows, priors=given | {"source": "given"}).annotation_files == [*found, "own.tsv"]
    assert inputs(priors=given | {"source": "supervised"}).annotation_files == ["b/3.txt"]
    assert inputs().annotation_files == []


def test_values_of_the_prior_s_source_that_rules_make():
    path = "<results>/{study}/causal_probabilities.tsv.gz"
    assert inputs(priors={"source": "supervised"}).causal_probabilities == path
    assert inputs(priors={"source": "supervised", "supervised": "own.tsv"}).causal_probabilities == []
    assert inputs().causal_probabilities == []
    heritability = inputs(priors={"source": "heritability"}).heritability
    assert (heritability, inputs().heritability) == ("<results>/{study}/prior/heritability.parquet", [])


HERITABILITY = {"source": "heritability", "heritability_annotations": "x.{chrom}.annot.parquet"}


def test_files_of_heritability_by_chromosome():
    touch("x.10.annot.parquet", "x.2.annot.parquet", "x.X.annot.parquet", "w.2.gz")
    found = inputs(priors=HERITABILITY | {"heritability_weights": "w.{chrom}.gz"})
    assert found.heritability_annotations == [f"x.{name}.annot.parquet" for name in ("2", "10", "X")]
    assert found.heritability_weights == ["w.2.gz"]
    assert inputs(priors=HERITABILITY).heritability_weights == []
    assert found.chromosome_annotations(A) == "x.2.annot.parquet"
    other = inputs(priors=HERITABILITY | {"source": "enrichment"})
    assert (other.heritability_annotations, other.ld_scores) == ([], [])


def test_ld_scores_are_computed_unless_they_are_given():
    touch("x.1.annot.parquet", "x.2.annot.parquet", "s.1.l2.ldscore.gz", "s.2.l2.ldscore.gz", "s.1.l2.M")
    folder = "<results>/{study}/prior/ld_scores"
    assert inputs(priors=HERITABILITY).ld_scores == [
        f"{folder}/{chrom}.l2.{part}" for chrom in "12" for part in ("ldscore.parquet", "M")
    ]
    given = inputs(priors=HERITABILITY | {"heritability_ld_scores": "s.{chrom}.l2.ldscore.gz"})
    assert given.ld_scores == ["s.1.l2.ldscore.gz", "s.2.l2.ldscore.gz", "s.1.l2.M"]


def test_ld_scores_of_bins_are_computed_in_the_panel_where_there_is_one():
    files, nothing = panel("panel"), {"panel": [], "samples": []}
    row = replace(STUDY, samples="keep.txt")
    assert inputs(row).panel_for_bins(A) == {"panel": files, "samples": "keep.txt"}
    assert inputs(row, priors={"heritability_bins": 0}).panel_for_bins(A) == nothing
    touch("ld/1.npz")
    assert inputs(replace(STUDY, panel="", ld="ld")).panel_for_bins(A) == nothing


def test_tables_under_each_prior():
    assert inputs(priors={"controls": ["tss"]}).under_each_prior(variants="v.gz", sets="s.tsv") == {
        f"{name}_{prior}": f"<results>/{{study}}/{prior}/{file}"
        for name, file in (("variants", "v.gz"), ("sets", "s.tsv"))
        for prior in ("uniform", "functional", "shuffled", "tss")
    }


def test_the_truth_is_compared_where_it_is_known():
    assert inputs().truth_tables(A) == {}
    assert inputs(replace(STUDY, truth="truth.tsv")).truth_tables(A) == {
        "truth_comparison": "<results>/{study}/truth_comparison.tsv",
        "calibration": "<results>/{study}/calibration.tsv",
    }


def test_forms_of_export_are_made_of_the_functional_prior():
    found = inputs(loci={"batches": 2})
    assert found.export(A) == {
        "variants": "<results>/{study}/functional/variants.tsv.gz",
        "credible_sets": "<results>/{study}/functional/credible_sets.tsv",
    }
    assert found.export(SimpleNamespace(form="ssf")) == {"sumstats": "<results>/{study}/sumstats.parquet"}
    every = found.export(SimpleNamespace(form="open_targets"))
    assert every["loci"] == "<results>/{study}/loci.tsv"
    assert every["fits"] == [f"<results>/{{study}}/finemap/functional/{batch}.fits.npz" for batch in "01"]


def test_genes_enter_where_the_config_names_them():
    assert inputs().gene_tables == {}
    assert inputs(genome={"genes": "g.gtf"}).gene_tables == {
        "variant_genes": "<results>/{study}/variant_genes.tsv.gz",
        "locus_genes": "<results>/{study}/locus_genes.tsv",
    }


def test_files_behind_all_results_stand_once_by_role():
    own, shared = panel("own"), panel("panel")
    touch("ld/1.npz", "model/config.json")
    studies = (
        STUDY,
        replace(STUDY, study="b", chain="x.chain", samples="keep.txt"),
        replace(OWN, study="c"),
        Study("d", "h", sumstats="other.tsv", ld="ld", loci="loci.bed"),
    )
    tracks = [Track("h", "x", "x.bw"), Track("i", "x", "x.bw")]
    genome = {"fasta": "g.fa", "genes": "g.gtf"}
    found = inputs(*studies, tracks=tracks, regions="r.bed", loci={"blocks": "b.bed"},
                   backbone={"weights": "model"}, genome=genome).behind_results(A)  # fmt: skip
    assert found == {
        "weights": ["model/config.json"],
        "genome": ["g.fa", "g.gtf"],
        "regions": ["r.bed", "b.bed"],
        "tracks": ["x.bw"],
        "studies": ["gwas.tsv", *shared, "x.chain", "keep.txt", *own, "trait.txt", "age.txt", "other.tsv", "ld/1.npz",
                    "loci.bed"],
    }  # fmt: skip
