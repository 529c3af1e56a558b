import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from fineprior.project.settings import ReportSettings
from fineprior.report.page import render_page

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Document(HTMLParser):
    """Ids, references, images and rows of a page; complains of tags that do not nest."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.references, self.images, self.open, self.styles = [], [], [], [], ""
        self.scripts, self.texts, self.headers = 0, [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        self.references += [attributes[name] for name in ("src", "href", "srcset", "action") if name in attributes]
        if tag == "img":
            self.images.append(attributes)
        if tag == "th":
            self.headers.append(attributes.get("scope"))
        if tag not in VOID:
            self.open.append(tag)
        self.styles += attributes.get("style") or ""
        assert not {name for name in attributes if name.startswith("on")}
        assert tag not in {"iframe", "object", "embed", "link"}
        if tag == "script":
            self.scripts += 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.styles += data
        if self.open and self.open[-1] == "script":
            self.texts.append(data)


def text_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.split("<script>")[0]))


@pytest.fixture(scope="module")
def tables(study_tables):
    return study_tables(4, 30)


@pytest.fixture(scope="module")
def bare(tables):
    """The same study with few figures: quick to render."""
    return replace(
        tables, enrichment=tables.enrichment.iloc[:0], history=tables.history.iloc[:0], curve=tables.curve.iloc[:0],
        scatter=tables.scatter.iloc[:0],
        calibration=tables.calibration.iloc[:0],
    )  # fmt: skip


@pytest.fixture(scope="module")
def page(tables):
    return render_page(tables, ReportSettings(max_locus_plots=2))


@pytest.mark.slow
def test_shared_windows_beside_centred_ones(page):
    assert (
        "For 3 variants, at most 64 bp from the middle of their window, the scores were compared with those in windows "
        "centred on the variant: the correlation is 1.00, the median relative difference 0, and the largest 0.200."
    ) in text_of(page)


@pytest.mark.slow
def test_page_is_self_contained_and_well_formed(page):
    document = Document(page)
    assert all(reference.startswith(("#", "data:image/")) for reference in document.references)
    assert "url(" not in document.styles
    assert "@import" not in document.styles
    assert len(set(document.ids)) == len(document.ids)
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name) for name in document.ids)
    assert {r[1:] for r in document.references if r.startswith("#")} <= set(document.ids)
    assert all(len(image["alt"]) > 20 for image in document.images)
    assert page.count("<table>") == page.count("<caption>")
    assert set(document.headers) == {"col"}


def test_only_the_page_s_own_script_may_run(page):
    document = Document(page)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page).group(1)
    digest = base64.b64encode(hashlib.sha256("".join(document.texts).encode()).digest()).decode()
    assert document.scripts == 1
    assert policy == (f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'")


def test_names_and_reasons_are_escaped(page):
    assert "<disease>" not in page
    assert "demo &lt;disease&gt;" in page
    assert "R is not <finite>" not in page
    assert "R is not &lt;finite&gt;" in page


@pytest.mark.slow
def test_names_of_genes_are_escaped(tables):
    name = "<img src=x onerror=alert(1)>"
    variants = {
        p: frame.assign(gene=name, consequence=f"{name}&intron_variant") for p, frame in tables.variants.items()
    }
    sets = {p: frame.assign(gene=name, genes=f"{name},b") for p, frame in tables.credible_sets.items()}
    page = render_page(replace(tables, variants=variants, credible_sets=sets), ReportSettings())
    assert "<img src=x" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") > 5


def test_page_shows_each_part(page, tables):
    text = text_of(page)
    assert tables.verdict["sentence"].iloc[0] in text
    assert "Of 23,271 rows of the summary statistics, 20,920 were kept and 2,351 were dropped" in text
    for words in ("not_in_panel", "k-mer ridge", "from scratch", "Priors compared with the truth", "Learning curve",
                  "purity of every set below 0.5", "disease_1: SPI1 &lt;x&gt;", "r over regions",
                  "Nested cross-validation", "Are the scored windows like the training regions?",
                  "Scored windows are &lt;richer&gt;."):  # fmt: skip
        assert words in text
    assert "auROC" not in text
    assert "evaluation.min_r" not in text
    assert all(f'href="#locus-{i}"' in page and f'id="locus-{i}"' in page for i in range(1, 5))


@pytest.mark.slow
def test_same_tables_same_page(page, tables):
    assert render_page(tables, ReportSettings(max_locus_plots=2)) == page


def test_loci_without_a_plot_are_counted_and_those_that_changed_most_are_shown(page, tables):
    change = tables.comparison[tables.comparison["prior"] == "functional"].set_index("locus")["max_pip_change"]
    shown = [image["alt"] for image in Document(page).images if image["alt"].startswith("Locus ")]
    assert {alt.split(":")[0].removeprefix("Locus ") for alt in shown} == set(change.nlargest(2).index)
    assert "2 of 4 loci have no plot" in text_of(page)
    assert page.count("No plot for this locus.") == 2


@pytest.mark.slow
def test_loci_are_in_order_of_the_genome(bare):
    mixed = replace(bare, loci=bare.loci.iloc[[0, 3, 1, 2]].assign(chrom=["chr1", "chrX", "chr1", "chrX"]))
    text = render_page(mixed, ReportSettings(max_locus_plots=0))
    titles = re.findall(r"<summary><h3>([^<]+)", text)
    assert titles == list(bare.loci["locus"].iloc[[0, 1, 2, 3]])


@pytest.mark.slow
def test_summary_numbers(bare):
    comparison = pd.DataFrame({
        "locus": ["a", "b", "c"], "prior": "functional", "sets_uniform": [1, 3, 0], "sets": [2, 2, 0],
        "mean_size_uniform": [10.0, 2.0, np.nan], "mean_size": [3.0, 5.0, np.nan],
        "top_variant_uniform": ["a1", "b1", None], "top_pip_uniform": 0.5, "top_variant": ["a2", "b1", None],
        "top_pip": 0.5, "top_prior_ratio": 2.0, "max_pip_change": [0.4, 0.05, np.nan],
        "high_pip_uniform": [0, 1, 0], "high_pip": [1, 1, 0],
    })  # fmt: skip
    text = text_of(render_page(replace(bare, comparison=comparison), ReportSettings(max_locus_plots=0)))
    assert "mean variants in a credible set 4.00 → 4.00 4 → 4 sets" in text
    assert "variants with PIP &gt; 0.9 1 → 2" in text
    assert "loci with a different top variant 1 of 3" in text
    assert "loci where a PIP changed by more than 0.1 1 of 3" in text


@pytest.mark.slow
def test_study_without_loci(study_tables):
    page = render_page(study_tables(0), ReportSettings())
    Document(page)
    assert "nothing to fine-map" in text_of(page)
    assert "This study has no locus." in page


@pytest.mark.slow
def test_study_without_head_truth_and_weight(tables, without_optional):
    page = render_page(without_optional(tables), ReportSettings(max_locus_plots=1))
    Document(page)
    assert "The weight is 0" in page
    assert "No head was trained" in page
    assert "Priors compared with the truth" not in page
    assert "<code>snakemake --cores 8 results/demo &lt;disease&gt;/calibrate/summary.tsv</code>" in page
    assert "nan" not in text_of(page).lower().split()


@pytest.mark.slow
def test_low_tracks_are_flagged_and_labels_have_their_columns(bare):
    metrics = bare.head_metrics.assign(auroc=0.8)
    metrics.loc[metrics["track"] == "disease_2", "pearson_r"] = 0.1
    text = text_of(render_page(replace(bare, head_metrics=metrics, min_r=0.3), ReportSettings(max_locus_plots=0)))
    assert "are excluded from it: disease_2 (r 0.100)." in text
    assert "auROC" in text


@pytest.mark.slow
def test_head_without_baselines(bare):
    page = render_page(replace(bare, baselines=bare.baselines.iloc[:0]), ReportSettings(max_locus_plots=0))
    assert "This head was not compared with simpler models" in page


@pytest.mark.slow
def test_failed_locus_without_variants_shows_its_reason(bare):
    failed = bare.status["uniform"].query("status == 'failed'")["locus"].iloc[0]
    variants = {prior: frame[frame["locus"] != failed] for prior, frame in bare.variants.items()}
    page = render_page(replace(bare, variants=variants), ReportSettings(max_locus_plots=0))
    article = text_of(page[page.index('<article id="locus-3"') : page.index('<article id="locus-4"')])
    assert failed in article
    assert "R is not &lt;finite&gt;" in article
    assert "No fine-mapped variant to plot." in article


@pytest.mark.slow
def test_a_locus_of_a_bed_file_without_variants_has_no_lead(bare):
    loci = bare.loci.copy()
    name = loci["locus"].iloc[2]
    loci.loc[2, ["lead_variant", "lead_z", "lead_neg_log10_p", "variants"]] = [np.nan, np.nan, np.nan, 0]
    variants = {prior: frame[frame["locus"] != name] for prior, frame in bare.variants.items()}
    page = render_page(replace(bare, loci=loci, variants=variants), ReportSettings(max_locus_plots=0))
    article = text_of(page[page.index('<article id="locus-3"') : page.index('<article id="locus-4"')])
    assert "0 variants." in article
    assert "lead" not in article


@pytest.mark.slow
def test_long_credible_sets_are_cut_with_a_count(bare):
    sets = bare.credible_sets["uniform"].copy()
    sets["variant_ids"] = ",".join(f"chr1:{i}:A:T" for i in range(1_500))
    credible_sets = {"uniform": sets, "functional": bare.credible_sets["functional"]}
    page = render_page(replace(bare, credible_sets=credible_sets), ReportSettings(max_locus_plots=0))
    assert "chr1:11:A:T and 1,488 more" in page
    assert "chr1:12:A:T" not in page


@pytest.mark.slow
def test_loci_are_open_where_they_are_few(bare):
    few = render_page(bare, ReportSettings(max_locus_plots=0))
    assert few.count("<details open>") == 4


@pytest.mark.slow
def test_many_loci_are_folded(study_tables):
    many = render_page(study_tables(13, 10), ReportSettings(max_locus_plots=0))
    assert "<details open>" not in many
    assert many.count('<article id="locus-') == 13


@pytest.mark.slow
def test_a_page_says_what_a_locus_does_not_hold(study_tables):
    tables = study_tables(4)
    remarks = {prior: frame.assign(remarks="0.3 variants per <kb>") for prior, frame in tables.status.items()}
    page = render_page(replace(tables, status=remarks), ReportSettings(max_locus_plots=0))
    assert page.count("0.3 variants per &lt;kb&gt;") == 4
    assert page.count("rows of the GWAS in the window") == 4
