"""The report page as its reader meets it: in headless Chromium, at 5 and at 100 loci, on a desk and on a phone."""

import io
import runpy
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from browser import CHROMIUM, DRIVER, Page
from fineprior.project.settings import ReportSettings
from fineprior.report.page import render_page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="no Chromium, or no chromedriver"),
]
study_tables = runpy.run_path(str(Path(__file__).parent / "report/study_tables.py"))["study_tables"]
FIGURES = ("enrichment", "steps", "history", "curve", "scatter", "calibration", "windows")
MANY = study_tables(100, 12)
STUDIES = {5: study_tables(5, 80), 100: replace(MANY, **{name: getattr(MANY, name)[:0] for name in FIGURES})}
PLOT = "document.querySelector('figure .plot')"
BOX = "document.querySelector('[data-table={}]')"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for loci, tables in STUDIES.items():
        page = render_page(tables, ReportSettings(max_locus_plots=3))
        (folder / f"{loci}.html").write_text(page, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    page = Page(tmp_path_factory.mktemp("browser"))
    yield page
    page.close()


@pytest.fixture
def opened(browser, files):
    """Opens the page of so many loci; at the end nothing but the file was asked for, and nothing complained of."""

    def open_page(loci, width=1280):
        browser.open(files / f"{loci}.html", width)
        return browser

    yield open_page
    requests = browser.requests()
    assert {url.split(":")[0] for url in requests} <= {"file", "data", "blob"}
    assert sum(url.startswith("file:") for url in requests) == 1
    assert browser.complaints() == []


def click(browser, text, within="document"):
    browser.run(f"[...{within}.querySelectorAll('button')].find((one) => one.textContent === '{text}').click()")


def rows_shown(browser, table):
    return browser.run(
        f"[...{BOX.format(table)}.querySelectorAll('tbody tr')].filter((r) => r.checkVisibility()).length"
    )


def csv_of(browser):
    name, text = browser.download()
    return name, pd.read_csv(io.StringIO(text))


def zoomed(browser):
    """Look into the first plotted locus; returns its name."""
    browser.run("document.querySelector('figure[data-variants]').closest('details').open = true")
    click(browser, "Zoom and read values")
    browser.run("new Promise((done) => { const wait = () => document.querySelector('.plot svg') ? done() : "
                "setTimeout(wait, 10); wait(); })")  # fmt: skip
    return browser.run("document.querySelector('figure[data-variants]').dataset.locus")


def said(browser):
    return browser.run("document.querySelector('figure [role=status]').textContent")


def in_view(browser):
    return int(said(browser).split(": ")[1].split(" variants")[0])


def test_requests_and_complaints_would_be_seen(browser, tmp_path):
    (tmp_path / "loud.html").write_text("<img src='http://example.org/a.png'><script>nothing()</script>")
    browser.open(tmp_path / "loud.html")
    assert "http://example.org/a.png" in browser.requests()
    assert any("Uncaught ReferenceError" in one for one in browser.complaints())


@pytest.mark.parametrize("loci", STUDIES)
@pytest.mark.parametrize("width", [1280, 390])
def test_page_fits_the_window_and_shows_its_pictures(opened, loci, width):
    browser = opened(loci, width)
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.querySelectorAll('article').length") == loci
    browser.run("document.querySelectorAll('article > details').forEach((one) => (one.open = true))")
    browser.run("Promise.all([...document.images].map((image) => image.decode()))")
    assert browser.run("[...document.images].every((image) => image.naturalWidth > 500 && image.alt.length > 20)")


@pytest.mark.parametrize("loci", STUDIES)
def test_search_leaves_the_rows_with_every_word(opened, loci):
    browser = opened(loci)
    rows = len(STUDIES[loci].comparison)
    assert rows_shown(browser, "comparison") == (rows if loci > 5 else 8)
    if loci == 5:
        assert browser.run(f"{BOX.format('comparison')}.previousElementSibling.querySelector('input')") is None
        return
    names = STUDIES[loci].comparison.query("prior == 'shuffled'")["locus"]
    search = f"{BOX.format('comparison')}.previousElementSibling.querySelector('input')"
    browser.run(f"{search}.value = 'CHR2_ shuffled'; {search}.dispatchEvent(new Event('input'))")
    assert rows_shown(browser, "comparison") == names.str.startswith("chr2_").sum() > 0
    click(browser, "Save as CSV", f"{BOX.format('comparison')}.previousElementSibling")
    _, table = csv_of(browser)
    assert table["locus"].tolist() == names[names.str.startswith("chr2_")].tolist()


def test_a_download_has_exact_values_and_the_tables_column_names(opened):
    browser = opened(5)
    click(browser, "Save as CSV", f"{BOX.format('sumstats_qc')}.nextElementSibling")
    name, table = csv_of(browser)
    assert name == "demo _disease_.sumstats_qc.csv"
    pd.testing.assert_frame_equal(table, STUDIES[5].qc[table.columns], check_dtype=False)
    click(browser, "Save as CSV", f"{BOX.format('loci')}.nextElementSibling")
    table = csv_of(browser)[1]
    functional = STUDIES[5].status["functional"].set_index("locus").loc[table["locus"]]
    pd.testing.assert_series_equal(table["max_pip_functional"], functional["max_pip"], check_index=False,
                                   check_names=False)  # fmt: skip


def test_columns_sort_by_value_with_the_keyboard(opened):
    browser = opened(100)
    header = f"{BOX.format('loci')}.querySelector('[data-name=max_pip_functional]')"
    column = (f"[...{BOX.format('loci')}.querySelectorAll('tbody tr')].map((r) => "
              f"r.cells[{header}.cellIndex].dataset.value ?? r.cells[{header}.cellIndex].textContent)")  # fmt: skip
    before = browser.run(column)
    browser.run(f"{header}.querySelector('button').focus()")
    for state, order in (("ascending", 1), ("descending", -1)):
        browser.press_enter()
        assert browser.run(f"{header}.ariaSort") == state
        values = browser.run(column)
        assert values[-1] == ""
        numbers = [order * float(value) for value in values[:-1]]
        assert numbers == sorted(numbers)
    browser.press_enter()
    assert browser.run(f"{header}.ariaSort") is None
    assert browser.run(column) == before


@pytest.mark.parametrize("loci", STUDIES)
def test_zoom_draws_the_part_that_was_asked_for(opened, loci):
    browser = opened(loci)
    name = zoomed(browser)
    variants = STUDIES[loci].variants["functional"].query("locus == @name")
    assert in_view(browser) == len(variants)
    drawn = browser.run(f"{PLOT}.innerHTML")
    click(browser, "Zoom in")
    assert browser.run(f"{PLOT}.innerHTML") != drawn
    start, end = (int(part) for part in name.split("_")[1:])
    quarter = (end - start + 1) // 4
    inside = variants[variants["pos"].between(start - 1 + quarter, start - 1 + 3 * quarter)]
    assert in_view(browser) == len(inside) < len(variants)
    click(browser, "Save variants in view (CSV)")
    saved, table = csv_of(browser)
    assert saved.endswith(f".{name}.csv")
    assert table["variant_id"].tolist() == inside["variant_id"].tolist()
    assert table["pip_functional"].tolist() == pytest.approx(inside["pip"].tolist(), abs=1e-4)
    click(browser, "Whole locus")
    assert browser.run(f"{PLOT}.innerHTML") == drawn


def test_a_variant_is_read_by_pointing_and_a_part_chosen_by_dragging(opened):
    browser = opened(5)
    name = zoomed(browser)
    variants = STUDIES[5].variants["functional"].query("locus == @name")
    browser.run(f"{PLOT}.scrollIntoView()")
    corners = "(({x, y, width, height}) => [x, y, width, height])"
    lead = browser.run(f"{corners}({PLOT}.querySelector('path[stroke=\"#000\"]').getBoundingClientRect())")
    browser.point(lead[0] + lead[2] / 2, lead[1] + lead[3] / 2)
    assert said(browser).startswith(variants["variant_id"].iloc[variants["z"].abs().argmax()] + ": ")
    left, top, width, _ = browser.run(f"{corners}({PLOT}.getBoundingClientRect())")
    middle = left + 56 + (width - 72) / 2
    browser.drag((left + 56, top + 250), (middle, top + 250))
    start, end = (int(part) for part in name.split("_")[1:])
    assert abs(in_view(browser) - (variants["pos"] < (start + end) / 2).sum()) <= 1


def test_a_link_unfolds_its_locus(opened):
    browser = opened(100)
    assert browser.run("document.querySelectorAll('article > details[open]').length") == 0
    browser.run(f"{BOX.format('loci')}.querySelectorAll('tbody a')[70].click()")
    browser.run("new Promise((done) => setTimeout(done, 300))")
    assert browser.run(
        "[...document.querySelectorAll('article > details[open]')].map((one) => one.parentElement.id)"
    ) == ["locus-71"]
    assert browser.run("document.querySelector('#locus-71').getBoundingClientRect().top") < 900
    click(browser, "Open all loci")
    assert browser.run("document.querySelectorAll('article > details[open]').length") == 100
