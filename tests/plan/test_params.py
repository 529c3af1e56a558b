"""Which values a rule depends on: each decision, and that only plain values reach Snakemake."""

import ast
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from fineprior.files.errors import InputError
from fineprior.genome.bed import batch_of
from fineprior.plan.params import Params
from fineprior.plan.provenance import Fingerprints, code_digest
from fineprior.plan.stages import STAGES
from fineprior.project.project import Annotation, Project, Track
from fineprior.project.settings import FinemapSettings, HarmoniseSettings, Settings, TrackSettings, as_params
from fineprior.project.sheets import Study

STUDY = Study("a", "h", sumstats="gwas.tsv", panel="panel", n=1000.0)
OWN = Study("a", "h", genotypes="own", phenotype="trait.txt")
A = SimpleNamespace(study="a", head="h", batch="0", prior="functional", ld="panel")
IN_SAMPLE, PANEL, UNDRIFTED = (SimpleNamespace(study="a", ld=ld) for ld in ("in_sample", "panel", "undrifted_panel"))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def params(*studies, tracks=(), annotations=(), **blocks):
    """Params of a project with these rows, and with some settings of some blocks."""
    settings = Settings()
    for name, values in blocks.items():
        plain = not isinstance(values, dict) or name == "columns"
        settings = replace(settings, **{name: values if plain else replace(getattr(settings, name), **values)})
    rows = {row.study: row for row in studies or (STUDY,)}
    return Params(Project(settings, rows, list(tracks), list(annotations)), Fingerprints(Path("inputs.json")))


def test_contents_are_digests_of_the_user_s_files_and_of_no_others():
    for name in ("a.txt", "b.txt", "c.txt"):
        Path(name).write_text(name)
    found = params().contents(
        "a.txt", ["<results>/x", "b.txt", ""], [], "", {"one": "c.txt", "two": []}, lambda wildcards: wildcards.file,
        lambda wildcards: ["resources/embedded/y", "resources/backbones/z"],
    )(SimpleNamespace(file="d.txt"))  # fmt: skip
    assert list(found) == ["a.txt", "b.txt", "c.txt", "d.txt"]
    assert len({*found.values()}) == 4
    assert found["a.txt"].startswith("content ")
    assert found["d.txt"] == "content "  # not there
    Path("a.txt").write_text("other")
    assert params().contents("a.txt")(A) != {"a.txt": found["a.txt"]}


def test_a_row_s_columns():
    found = params()
    assert (found.panel(A), found.genotypes(A), found.ld(A), found.build(A)) == ("panel", "", "", "")
    assert found.sizes(A) == {"n": 1000.0}
    assert params(OWN).panel(A) == params(OWN).genotypes(A) == "own"
    assert params(replace(STUDY, panel="", ld="ukb")).ld(A) == "ukb"
    assert params(replace(STUDY, build="hg19")).build(A) == "hg19"
    assert found.source(A) == {
        "study": "a", "head": "h", "sumstats": "gwas.tsv", "n": "1000.0", "cases": "0.0", "controls": "0.0",
        "panel": "panel", "in_sample": "None", "panel_size": "0.0",
    }  # fmt: skip
    with pytest.raises(InputError, match="study 'b' is not in"):
        found.panel(SimpleNamespace(study="b"))


def test_a_format_is_recognised_named_or_the_user_s_own():
    own = {"mine": {"beta": "B"}}
    assert params().layout(A) is None
    assert params(replace(STUDY, format="regenie"), columns=own).layout(A) == "regenie"
    assert params(replace(STUDY, format="mine"), columns=own).layout(A) == {"beta": "B"}


def test_loci_of_a_bed_file_are_those_of_the_batch():
    Path("loci.bed").write_text("chr1\t5000\t9000\nchr1\t100\t200\tname\n")
    found = params(replace(STUDY, loci="loci.bed"), replace(STUDY, study="b"), loci={"batches": 2})
    assert list(found.loci_of_bed) == ["a"]
    names = ["chr1_100_200", "chr1_5000_9000"]
    for batch in (0, 1):
        expected = [name for name in names if batch_of(name, 2) == batch]
        assert found.loci(SimpleNamespace(study="a", batch=str(batch))) == expected
    Path("loci.bed").write_text("chr1\n")
    with pytest.raises(InputError, match=r"loci\.bed, line 1"):
        params(replace(STUDY, loci="loci.bed")).loci_of_bed  # noqa: B018


def test_own_genotypes_need_no_frequency_to_tell_the_strand():
    settings = {"palindromic": "frequency"}
    assert params(harmonise=settings).harmonise(A) == as_params(HarmoniseSettings(**settings))
    assert params(OWN, harmonise=settings).harmonise(A)["palindromic"] == "keep"


def test_settings_of_finemap_with_what_the_row_says_of_its_ld():
    settings = {"coverage": 0.9, "panel_size": 7}
    assert params(finemap=settings).finemap(A) == as_params(FinemapSettings(**settings))
    assert params(OWN).finemap(A)["ld"] == "in_sample"
    row = replace(STUDY, panel_size=500.0, in_sample=True)
    assert params(row, finemap=settings).finemap(A) == as_params(
        FinemapSettings(coverage=0.9, panel_size=500, ld="in_sample")
    )
    assert params(finemap={"model": "susie_inf"}).model(A) == "susie_inf"


def test_the_seed_counts_only_where_a_search_draws():
    assert params(OWN, seed=7).seed_of_search(A) == 7
    assert params(seed=7).seed_of_search(A) == 0, "LD of a panel"
    assert params(finemap={"ld": "in_sample"}, seed=7).seed_of_search(A) == 7
    assert params(OWN, finemap={"posterior": "susie"}, seed=7).seed_of_search(A) == 0
    assert params(OWN, finemap={"model": "susie_inf"}, seed=7).seed_of_search(A) == 0
    assert params(finemap={"posterior": "search_panel"}, seed=7).seed_of_search(A) == 7
    assert params(OWN, finemap={"posterior": "search_panel"}, seed=7).seed_of_search(A) == 7


def test_signals_are_found_with_defaults_and_what_is_known_of_the_ld():
    found = params(finemap={"coverage": 0.9, "max_effects": 3, "ld": "none", "panel_size": 7}).signals(A)
    assert found == as_params(FinemapSettings(ld="none", panel_size=7))
    assert params(OWN).signals(A) == as_params(FinemapSettings(ld="in_sample"))


def test_settings_behind_a_study_s_methods_are_those_of_this_study():
    found = params(OWN, harmonise={"palindromic": "frequency"}, exports=["ssf"], store="elsewhere").methods(A)
    everything = as_params(Settings())
    left = {"studies", "tracks", "columns", "exports", "report", "store", "embedded"}
    assert list(found) == [name for name in everything if name not in left]
    assert found["harmonise"]["palindromic"] == "keep"
    assert found["finemap"]["ld"] == "in_sample"
    assert found["evaluation"] == {"min_r": everything["evaluation"]["min_r"]}
    assert found["scores"] == everything["scores"]


def test_targets_are_those_of_the_head_s_tracks():
    tracks = [Track("h", "x", "x.bw"), Track("other", "y", "y.bw"),
              Track("h", "z", "z.bw", clip="5", weight="0.5", strand_pair="x")]  # fmt: skip
    found = params(tracks=tracks, targets={"pooling": "sum"})
    assert found.tracks(A) == ["x", "z"]
    assert found.targets(A) == {
        "targets": [as_params(TrackSettings(pooling="sum")), as_params(TrackSettings(pooling="sum", clip=5.0))],
        "weights": [1.0, 0.5],
        "strand_pairs": ["", "x"],
    }
    with pytest.raises(InputError, match="head 'none' has no row"):
        found.targets(SimpleNamespace(head="none"))


@pytest.mark.parametrize(
    ("mode", "tunes"), [("linear", False), ("mlp", False), ("last_blocks", True), ("lora", True), ("full", True)]
)
def test_modes_that_change_the_backbone(mode, tunes):
    found = params(head={"mode": mode})
    assert found.tunes_backbone is tunes
    assert (found.training_memory, found.training_minutes, found.evaluation_minutes) == (
        (8000, 2880, 2880) if tunes else (4000, 120, 240)
    )


def test_evaluation_does_not_depend_on_what_is_made_of_its_numbers():
    found = params(evaluation={"min_r": 0.9}).evaluation
    assert "min_r" not in found
    assert found == params().evaluation
    assert params(evaluation={"folds": 4}).evaluation == found | {"folds": 4}


def test_the_uniform_prior_depends_on_no_setting():
    uniform = SimpleNamespace(study="a", prior="uniform")
    found = params(annotations=[Annotation("peaks", "bed", "p.bed"), Annotation("near", "tss", "n.bed")])
    assert (found.prior(uniform), found.kinds_of_prior(uniform)) == ({}, {})
    assert found.prior(A) == as_params(Settings().priors)
    assert found.kinds_of_prior(A) == found.kinds == {"peaks": "bed", "near": "tss"}
    assert found.annotations == [
        {"name": "peaks", "kind": "bed", "path": "p.bed", "column": ""},
        {"name": "near", "kind": "tss", "path": "n.bed", "column": ""},
    ]


def test_annotations_depend_on_the_source_of_the_prior_and_not_on_its_strength():
    first, second = (params(priors={"source": "given", "given": "g.tsv", "ridge": ridge}) for ridge in (0.0, 1.0))
    assert first.source_of_prior == second.source_of_prior
    assert first.source_of_prior == {
        "source": "given", "given": "g.tsv", "given_column": "", "given_as": "prior", "supervised": "",
        "training_rate": 0.0,
    }  # fmt: skip


def test_patterns_of_heritability():
    settings = {"source": "heritability", "heritability_annotations": "x.{chrom}", "heritability_weights": "w.{chrom}"}
    computed = SimpleNamespace(ld_scores=["results/a/prior/ld_scores/1.l2.ldscore.parquet"])
    found = params(priors=settings)
    assert found.heritability_annotations(A) == "x.{chrom}"
    assert found.heritability_files(A, input=computed) == {
        "annotations": "x.{chrom}", "ld_scores": "results/a/prior/ld_scores/{chrom}.l2.ldscore.parquet",
        "weights": "w.{chrom}", "panel": "panel",
    }  # fmt: skip
    given = params(priors=settings | {"heritability_ld_scores": "s.{chrom}"})
    assert given.heritability_files(A, input=computed)["ld_scores"] == "s.{chrom}"


@pytest.mark.parametrize(
    ("row", "settings", "words"),
    [
        (STUDY, {}, ""),
        (STUDY, {"source": "heritability"}, ""),
        (STUDY, {"source": "heritability", "heritability_bins": 0}, "are used as they are (priors.heritability_bins"),
        (replace(STUDY, panel="", ld="ld"), {"source": "heritability"}, "are used as they are: there is no panel"),
        (replace(STUDY, panel="", ld="ld"), {}, ""),
    ],
)
def test_the_verdict_says_where_no_bins_made_heritabilities_robust(row, settings, words):
    remark = params(row, priors=settings).remark(A)
    assert words in remark
    assert bool(words) == bool(remark)


def test_a_simulated_study_depends_on_no_other_one():
    first = params(calibrate={"scenarios": ["noise"], "replicates": 1, "ld": ["in_sample"]}).simulation(IN_SAMPLE)
    assert first == params().simulation(IN_SAMPLE) == {"heritability": 0.0, "max_causal": 3}
    assert params(calibrate={"max_causal": 1}).simulation(IN_SAMPLE)["max_causal"] == 1


def test_only_the_question_of_panels_depends_on_the_panel_and_its_drift():
    other = params(replace(STUDY, panel="other"), calibrate={"fst": 0.01})
    for question in (IN_SAMPLE, UNDRIFTED):
        assert other.simulation(question) == params().simulation(question)
    assert other.simulation(PANEL) == params().simulation(PANEL) | {"fst": 0.01}
    assert [other.panel_to_draw(one) for one in (IN_SAMPLE, UNDRIFTED, PANEL)] == ["", "other", "other"]


def test_provenance_holds_the_sheets_the_code_and_the_software():
    found = params(tracks=[Track("h", "x", "x.bw")])
    (row,) = found.sheets["studies"]
    assert row == {"study": "a", "head": "h", "sumstats": "gwas.tsv", "n": 1000.0, "cases": 0.0, "controls": 0.0,
                   "panel": "panel", "in_sample": None, "panel_size": 0.0}  # fmt: skip
    assert found.sheets["tracks"] == [as_params(Track("h", "x", "x.bw"))]
    assert list(found.code_of_rules) == [rule for rules in STAGES.values() for rule in rules]
    assert found.code_of_rules["finemap"] == code_digest("finemap")
    assert list(found.versions) == ["fineprior", "snakemake"]
    assert found.software["numpy"]


def test_values_are_plain_so_that_snakemake_can_compare_them():
    """Of anything else Snakemake takes no notice, or another text each time."""
    found = params(tracks=[Track("h", "x", "x.bw")], annotations=[Annotation("peaks", "bed", "p.bed")])
    methods = ("panel", "sizes", "layout", "source", "harmonise", "finemap", "signals", "methods", "tracks", "targets",
               "prior", "kinds_of_prior", "heritability_annotations", "remark", "model", "simulation",
               "panel_to_draw")  # fmt: skip
    names = ("evaluation", "source_of_prior", "annotations", "kinds", "sheets", "code_of_rules",
             "software", "versions", "tunes_backbone")  # fmt: skip
    for value in (*(getattr(found, name)(A) for name in methods), *(getattr(found, name) for name in names)):
        assert ast.literal_eval(repr(value)) == value
