"""A project is checked before any job starts: each mistake gives one line that names place, value and remedy."""

import datetime

import pytest

from fineprior.files.errors import InputError
from fineprior.project.project import hub_folder, load_project, settings_alone

CONFIG = {
    "genome": {"fasta": "genome.fa"},
    "regions": "regions.bed",
    "backbone": {"weights": "backbone", "target_bins": 12},
}
STUDIES = "study\tsumstats\tpanel\thead\tnote\ntrait\tgwas.tsv\tpanel\tdisease\tmine\n"
TRACKS = "head\ttrack\tbigwig\ndisease\tdnase\tdnase.bw\n"
OWN = (
    "head\ttrack\tbigwig\tassay\tstrand_pair\tclip\tpooling\tweight\n"
    "disease\tplus\tdnase.bw\tCAGE\tminus\t64\tmax\t0.5\ndisease\tminus\tdnase.bw\tCAGE\tplus\t\t\t\n"
)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config/studies.tsv").write_text(STUDIES)
    (tmp_path / "config/tracks.tsv").write_text(TRACKS)
    (tmp_path / "backbone").mkdir()
    (tmp_path / "backbone/config.json").write_text("{}")
    for name in ("genome.fa", "regions.bed", "gwas.tsv", "panel.bed", "panel.bim", "panel.fam", "dnase.bw"):
        (tmp_path / name).write_text("")
    return tmp_path


def test_a_good_project(root):
    project = load_project(CONFIG, root)
    assert project.study("trait").panel == "panel"
    assert [track.track for track in project.head_tracks("disease")] == ["dnase"]
    assert project.settings.finemap.coverage == 0.95


@pytest.mark.parametrize("missing", ["", " ", "NA", "NaN", "#N/A", "."])
def test_a_missing_cell_of_a_sheet_is_as_an_empty_one(root, missing):
    header, row = STUDIES.splitlines()
    (root / "config/studies.tsv").write_text(f"{header}\tchain\tn\n{row}\t{missing}\t{missing}\n")
    study = load_project(CONFIG, root).study("trait")
    assert (study.chain, study.n) == ("", 0)


def test_a_row_of_the_sheet_may_differ_from_the_config(root):
    (root / "config/tracks.tsv").write_text(OWN)
    project = load_project(CONFIG | {"targets": {"scale": 3}}, root)
    plus, minus = (track.targets(project.settings.targets, "x") for track in project.tracks)
    assert (plus.clip, plus.pooling, plus.scale) == (64.0, "max", 3.0)
    assert minus == project.settings.targets
    assert [track.loss_weight("x") for track in project.tracks] == [0.5, 1.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"finemap": {"covrage": 0.9}}, r"^config: finemap: unknown key 'covrage'; allowed: max_effects, coverage"),
        ({"finemap": {"coverage": 1.2}}, r"^config: finemap.coverage = 1.2 must be below 1$"),
        ({"loci": {"p_threshold": "5e-8"}}, r"loci.p_threshold = \"5e-8\" must be a number \(YAML reads 5e-8 as text"),
        ({"genome": {}}, r"^config: genome: 'fasta' is missing$"),
        ({"genome": {"fasta": "no.fa"}}, r"genome.fasta: file 'no.fa' does not exist \(looked in /"),
        ({"studies": "no.tsv"}, r"file 'no.tsv' does not exist"),
        ({"windows": {"centre_bins": 14}}, r"windows.centre_bins = 14 must be at most backbone.target_bins = 12"),
        ({"windows": {"centre_bins": 3}}, r"centre_bins = 3 must be .* = 12, and both odd or both even"),
        ({"backbone": {"weights": "bakbone"}}, r"backbone.weights = 'bakbone' has no config.json \(looked in"),
        ({"backbone": {"weights": "owner/model"}}, r"backbone.revision = ''; with the hub's owner/model"),
        (
            {"backbone": {"weights": "owner/model", "revision": "refs/pr/1"}},
            r"revision = 'refs/pr/1'; with the hub's owner/model it must name the commit",
        ),
        ({"scores": {"central_bins": 6}}, r"scores.central_bins = 6 must be at most windows.centre_bins = 4"),
        ({"scores": {"central_bins": 3}}, r"central_bins = 3 must be .* = 4, and both odd or both even"),
        ({"evaluation": {"folds": 3}}, r"evaluation.folds = 3; at least 4 \(one each for .*, or 0 for none"),
        ({"finemap": {"coverage": float("nan")}}, r"finemap.coverage: nan is not a finite number"),
        (
            {"loci": {"flank": 600, "max_width": 1199}},
            r"loci.max_width = 1199 is less than a window of loci.flank = 600",
        ),
        ({"harmonise": {"palindromic": "guess"}}, r"must be one of \['frequency', 'drop', 'trust', 'keep'\]"),
    ],
)
def test_bad_config(root, change, message):
    with pytest.raises(InputError, match=message):
        load_project(CONFIG | change, root)


@pytest.mark.parametrize(
    ("sheet", "text", "message"),
    [
        (
            "studies",
            STUDIES.replace("gwas.tsv", "gwas2.tsv"),
            r"studies.tsv, line 2 \(study 'trait'\): sumstats: file 'gwas2.tsv'",
        ),
        ("studies", STUDIES.replace("trait", "heads"), r"study 'heads' has the name of a folder"),
        ("studies", STUDIES.replace("trait", "a/b"), r"studies.tsv, line 2: study = \"a/b\" must match"),
        ("studies", STUDIES.replace("\tdisease", "\tother"), r"head 'other' has no track in config/tracks.tsv; it has"),
        ("studies", STUDIES + STUDIES.splitlines()[1] + "\n", r"line 3: study 'trait' occurs twice"),
        ("studies", STUDIES.replace("panel", "pannel", 1), r"unknown key 'pannel'; allowed: study, head, sumstats"),
        ("studies", STUDIES.replace("\tmine", ""), r"line 2: not as many fields as the header"),
        ("studies", STUDIES.splitlines()[0] + "\n", r"no row below the header"),
        ("tracks", TRACKS.replace("dnase.bw", "no.bw"), r"tracks.tsv, line 2 \(track 'dnase'\): file 'no.bw' does not"),
        ("tracks", OWN.replace("64", "all"), r"line 2 \(track 'plus'\): clip = 'all' must be a number above 0"),
        ("tracks", OWN.replace("0.5", "-1"), r"line 2 \(track 'plus'\): weight = '-1' must be a number at least 0"),
        ("tracks", OWN.replace("max", "median"), r"line 2: pooling = \"median\" must be one of"),
        ("tracks", OWN.replace("\tminus\t", "\tother\t", 1), r"strand_pair 'other' is no track of head 'disease'"),
        (
            "tracks",
            OWN.replace("\tplus\t\t", "\t\t\t"),
            r"strand_pair 'minus' has strand_pair '' itself; it must be 'plus'",
        ),
    ],
)
def test_bad_sheets(root, sheet, text, message):
    (root / f"config/{sheet}.tsv").write_text(text)
    with pytest.raises(InputError, match=message):
        load_project(CONFIG, root)


TARGETS = ["--report", "results/y/r.html", "results/heads/a/b", "-n", "results/trait/r.html", "results/x/r.html"]


def test_unknown_study_names_the_known_ones(root):
    with pytest.raises(InputError, match=r"study 'x' is not in config/studies.tsv; it has: trait"):
        load_project(CONFIG, root).study("x")
    with pytest.raises(InputError, match=r"study 'x' is not in"):
        load_project(CONFIG, root).check_targets(
            [
                "--report",
                "results/y/r.html",
                "results/heads/a/b",
                "-n",
                "results/trait/report.html",
                "results/x/report.html",
            ]
        )


def test_files_of_the_embedded_study_may_be_absent(root):
    (root / "config/tracks.tsv").write_text(TRACKS.replace("dnase.bw", "resources/embedded/tracks/dnase.bw"))
    assert load_project(CONFIG, root).tracks[0].bigwig.startswith("resources/embedded/")


def test_a_sheet_in_another_encoding_is_named(root):
    (root / "config/studies.tsv").write_bytes(STUDIES.replace("mine", "Prostatakarzinom, Köln").encode("latin-1"))
    with pytest.raises(InputError, match=r"config/studies.tsv: not a text file in UTF-8 \(invalid"):
        load_project(CONFIG, root)


ANNOTATIONS = "name\tkind\tpath\tnote\npeaks\tbed\tpeaks.bed\tmine\nsad\tscore\tsad.*.h5\t\n"


def annotated(root, text=ANNOTATIONS, **settings):
    (root / "config/annotations.tsv").write_text(text)
    for name in ("peaks.bed", "sad.1.h5"):
        (root / name).write_text("")
    return load_project(CONFIG | {"priors": {"annotations": "config/annotations.tsv"} | settings}, root)


def test_annotations_and_controls(root):
    project = annotated(root, controls=["sad"])
    assert [(row.name, row.kind, row.path) for row in project.annotations] == [
        ("peaks", "bed", "peaks.bed"), ("sad", "score", "sad.*.h5")]  # fmt: skip
    assert load_project(CONFIG, root).annotations == []


def test_labelled_variants_are_a_supervised_source(root):
    (root / "labels.tsv").write_text("")
    config = CONFIG | {"labels": {"variants": "labels.tsv"}, "priors": {"source": "supervised"}}
    assert load_project(config, root).settings.priors.source == "supervised"
    with pytest.raises(
        InputError, match=r"head.mode = 'lora' embeds variants with its own backbone, .* must be linear or mlp"
    ):
        load_project(config | {"head": {"mode": "lora"}}, root)


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        (
            ANNOTATIONS.replace("peaks.bed", "no.bed"),
            {},
            r"annotations.tsv, line 2 \(annotation 'peaks'\): file 'no.bed'",
        ),
        (ANNOTATIONS.replace("sad.*", "no.*"), {}, r"line 3 \(annotation 'sad'\): file 'no.\*.h5' does not exist"),
        (ANNOTATIONS.replace("bed\t", "wig\t"), {}, r"line 2: kind = \"wig\" must be one of \['bed', 'tss', 'bigwig'"),
        (ANNOTATIONS.replace("sad\t", "peaks\t"), {}, r"annotations.tsv, line 3: name 'peaks' occurs twice"),
        (ANNOTATIONS.replace("sad\t", "score\t"), {}, r"line 3 \(annotation 'score'\): the name is taken"),
        (ANNOTATIONS, {"controls": ["tss"]}, r"priors.controls: 'tss' is no annotation; there are: peaks, sad"),
        (ANNOTATIONS, {"source": "given"}, r"priors.given is missing; the source given needs a file"),
        (ANNOTATIONS, {"source": "given", "given": "no.tsv"}, r"priors.given: file 'no.tsv' does not exist"),
        (ANNOTATIONS, {"source": "supervised"}, r"priors.supervised is missing; .*needs a file \(or labelled variants"),
        (ANNOTATIONS, {"source": "heritability"}, r"priors.heritability_annotations is missing"),
        (
            ANNOTATIONS,
            {"source": "heritability", "heritability_annotations": "a.annot.gz"},
            r"priors.heritability_annotations = 'a.annot.gz' must have \{chrom\}",
        ),
        (
            ANNOTATIONS,
            {"source": "heritability", "heritability_annotations": "a.{chrom}.annot.gz"},
            r"priors.heritability_annotations: no file fits 'a.\{chrom\}.annot.gz'",
        ),
        (ANNOTATIONS, {"source": "guess"}, r"priors.source = \"guess\" must be one of"),
        (ANNOTATIONS, {"controls": "peaks"}, r"priors.controls = \"peaks\" must be a list"),
    ],
)
def test_bad_annotations(root, text, settings, message):
    with pytest.raises(InputError, match=message):
        annotated(root, text, **settings)


HEADER = "study\thead\tsumstats\tpanel\tgenotypes\tphenotype\tld\tpanel_size\n"


@pytest.mark.parametrize(
    "row",
    [
        "trait\tdisease\tgwas.tsv\tpanel\t\t\t\t",
        "trait\tdisease\tgwas.tsv\tkg_chr{chrom}\t\t\t\t",
        "trait\tdisease\tgwas.tsv\tvcf/{chrom}.vcf.gz\t\t\t\t",
        "trait\tdisease\t\t\tkg_chr{chrom}\tgwas.tsv\t\t",
        "trait\tdisease\tgwas.tsv\t\t\t\tukb\t337000",
        "trait\tdisease\tresources/embedded/gwas.tsv.gz\tresources/embedded/panel\t\t\t\t",
    ],
)
def test_forms_of_genotypes_and_ld(root, row):
    for name in ("kg_chr1.pgen", "kg_chr1.pvar.zst", "kg_chr1.psam", "kg_chrX.bed", "kg_chrX.bim", "kg_chrX.fam",
                 "vcf/1.vcf.gz", "ukb/chr1_1_3000001.npz", "ukb/chr1_1_3000001.gz"):  # fmt: skip
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text("")
    (root / "config/studies.tsv").write_text(HEADER + row + "\n")
    assert load_project(CONFIG, root).study("trait").head == "disease"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("trait\tdisease\tgwas.tsv\tno_panel\t\t\t\t", r"line 2 \(study 'trait'\): .*no_panel"),
        ("trait\tdisease\tgwas.tsv\tkg_{chrom}\t\t\t\t", r"line 2 \(study 'trait'\): .*kg_\{chrom\}"),
        ("trait\tdisease\tgwas.tsv\tpanel.vcf.gz\t\t\t\t", r"line 2 \(study 'trait'\): .*panel.vcf.gz"),
        ("trait\tdisease\t\t\tmine\tgwas.tsv\t\t", r"line 2 \(study 'trait'\): .*mine"),
        ("trait\tdisease\t\t\tpanel\tno.tsv\t\t", r"\(study 'trait'\): phenotype: file 'no.tsv' does not exist"),
        ("trait\tdisease\tgwas.tsv\t\t\t\tno_folder\t5", r"line 2 \(study 'trait'\): .*no_folder"),
        ("trait\tdisease\tgwas.tsv\tpanel\t\t\t\t-5", r"line 2: panel_size = \"-5\" must be a whole number above 0"),
        ("trait\tdisease\t\tpanel\t\t\t\t", r"line 2 \(study 'trait'\): sumstats and genotypes are both empty"),
    ],
)
def test_genotypes_and_ld_that_are_not_there(root, row, message):
    (root / "config/studies.tsv").write_text(HEADER + row + "\n")
    with pytest.raises(InputError, match=message):
        load_project(CONFIG, root)


def test_a_column_that_is_there_twice_is_named(root):
    (root / "config/studies.tsv").write_text("study\thead\tpanel\tsumstats\tpanel\na\tdisease\tpanel\tgwas.tsv\tx\n")
    with pytest.raises(InputError, match=r"config/studies.tsv: column 'panel' is there twice"):
        load_project(CONFIG, root)


def test_folder_of_a_hub_backbone():
    assert hub_folder("EleutherAI/enformer", "abc") == "resources/backbones/EleutherAI--enformer@abc"


DEEP: list = []
for _ in range(2000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"seed": datetime.date(2020, 1, 1)}, "config: seed = 2020-01-01 is a date, which no setting is"),
        ({"seed": 10**400}, "config: seed is a number of more digits than can be used here (18)"),
        ({"loci": {"p_threshold": float("inf")}}, "config: loci.p_threshold: inf is not a finite number"),
        ({"seed": DEEP}, "more than 20 lists or blocks within one another"),
        ({False: 1}, "config: the key False is not text to YAML; put it in quotes"),
        ({"loci": {1: 1}}, "config: loci: the key 1 is not text to YAML; put it in quotes"),
        ({"loci": {"fl\u200bank": 1}}, "config: loci: the key fl\\u200bank cannot be seen"),
        ({"regions": "a\0.bed"}, "config: regions = a\\x00.bed has characters that cannot be seen"),
    ],
)
def test_what_no_config_can_hold_wherever_it_comes_from(config, message):
    with pytest.raises(InputError) as caught:
        settings_alone(config)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300
