"""The documentation agrees with the code: pages made from it, names, files, links, decisions, tables and figures."""

import ast
import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
LIBRARY = ROOT / "scripts/fineprior"
PAGES = [
    *sorted(DOCS.rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "config/README.md")),
]
HISTORY = {
    ROOT / "docs/decisions/0002-rooms-in-the-order-of-data.md": "the rooms as they were",
    ROOT / "CHANGELOG.md": "what moved, with its former name",
}
"""Pages that name what is gone, and why they may."""


def named(page):
    return str(page.relative_to(ROOT))


def module_at(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def maker():
    return module_at(ROOT / "tools/pages.py")


def prose(page):
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


@functools.cache
def names_in(path):
    """What a module defines at its top, and of its classes `Class.attribute`; nothing where there is no module."""
    found = set()
    for node in ast.parse(path.read_text() if path.is_file() else "").body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return found


def exists(name):
    """Whether `room`, `room.module`, `room.module.name` or `room.module.Class.name` is in the library."""
    room, module, *rest = [*name.split("."), ""][: max(2, name.count(".") + 1)]
    if not module:
        return (LIBRARY / room).is_dir() or (LIBRARY / f"{room}.py").is_file()
    if module in names_in(LIBRARY / room / f"{room}.py") and not rest:
        return True  # of the module that has its room's name
    path = LIBRARY / room / f"{module}.py"
    return path.is_file() and (not rest or ".".join(rest) in names_in(path))


def test_pages_that_are_made_from_the_code_are_those_of_the_code(maker):
    for name, text in maker.pages().items():
        assert (ROOT / name).read_text() == text, f"{name}: run python tools/pages.py"


def test_the_picture_shows_every_room_and_no_import_that_climbs(maker):
    found = maker.rooms()
    assert {room.name for room in found} == {path.parent.name for path in LIBRARY.glob("*/__init__.py")}
    svg = (DOCS / "images/architecture.svg").read_text()
    for room in found:
        assert room.question.endswith("?"), room.name
        assert room.entry, f"{room.name}/__init__.py: 'Entry: ...' is missing"
        assert f">{room.name}</text>" in svg
    assert "prefers-color-scheme: dark" in svg
    assert not re.search(r"""(href|src|url)\s*[=(]\s*["']?http""", svg)


def test_every_step_of_the_walks_exists_and_a_walk_is_short(maker):
    for walk, steps in maker.walks((DOCS / "architecture.md").read_text()).items():
        assert 4 <= len(steps) <= 12, walk
        for room, module, name in steps:
            assert exists(f"{room}.{module}.{name}"), f"{walk}: {room}.{module}.{name} is not there"


def stale(text, rooms, keys):
    """Names of the library in a text that are not in it."""
    found = [
        name for name in re.findall(r"\bfineprior\.([a-z_]+(?:\.\w+)+)", text) if not re.search(r"\.(R|toml)$", name)
    ]
    spoken = re.findall(rf"`((?:{'|'.join(rooms)})\.[A-Za-z_]\w*(?:\.\w+)*)", text)
    found += [
        name
        for name in spoken
        if name not in keys and not name.endswith((".md", ".tsv", ".smk", ".yaml", ".safetensors"))
    ]
    return [name for name in found if not exists(name)]


def test_stale_names_are_found():
    rooms = ["engine", "foundation"]
    text = "`fineprior.engine.store` `foundation.reading.reading` `engine.store.nothing` `engine.key` fineprior.old.x"
    assert stale(text, rooms, {"engine.key"}) == ["old.x", "foundation.reading.reading", "engine.store.nothing"]


@pytest.mark.parametrize("page", [page for page in PAGES if page not in HISTORY], ids=named)
def test_names_of_the_library_exist(page, maker):
    config = (ROOT / "config/README.md").read_text()
    blocks = re.findall(r"^### `(\w+)`\n(.*?)(?=^#|\Z)", config, flags=re.MULTILINE | re.DOTALL)
    keys = {
        f"{block}.{key}" for block, rows in blocks for key in re.findall(r"^\| `([\w.]+)`", rows, flags=re.MULTILINE)
    }
    assert "finemap.ld" in keys
    rooms = [*maker.room_order(), "foundation", "genetics", "model"]
    found = stale(prose(page) if page.name == "CONTRIBUTING.md" else page.read_text(), rooms, keys)
    assert not found, f"{named(page)}: not in the library: {', '.join(found)}"


MADE_BY_A_RUN = ("results/", "logs/", "resources/embedded/", "resources/backbones/", ".snakemake/", "prior/", "export/")


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "outputs.md"], ids=named)
def test_files_of_the_repository_exist(page):
    folders = r"(?:scripts|tests|benchmarks|tools|workflow|envs|profiles|config|docs|resources|\.ci)"
    ending = r"\.(?:py|smk|yaml|yml|md|R|tsv|def|toml|svg)\b(?!` \(new\))"
    found = re.findall(rf"(?<![\w/.{{<]){folders}/[\w./-]*\w{ending}", prose(page))
    absent = [name for name in found if not (ROOT / name).exists() and not name.startswith(MADE_BY_A_RUN)]
    assert not absent, f"{named(page)}: {', '.join(absent)}"


def headings(page):
    """Anchors of a page, as GitHub and mkdocs make them."""
    found = set()
    for title in re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE):
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).replace("`", "").strip().lower()
        found.add(re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", plain)))
    return found


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target or target.startswith("mailto:"):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{named(page)}: {target}"
        if anchor:
            assert anchor in headings(path), f"{named(page)}: {target}: no such heading"


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "outputs.md"], ids=named)
def test_no_table_is_wider_than_eight_columns(page):
    for line in prose(page).splitlines():
        if line.startswith("|"):
            assert len(re.sub(r"`[^`]*`", "", line).strip("|").split("|")) <= 8, f"{named(page)}: {line[:90]}"


def test_decisions_have_a_status_and_name_each_other(maker):
    found = {one.number: one for one in maker.decisions()}
    assert list(found) == [f"{number:04d}" for number in range(1, len(found) + 1)]
    for number, one in found.items():
        assert re.match(r"accepted|(partly )?overturned by \[\d{4}\]", one.status), one.file
        for word, back in (("overturned by", "overturns"), ("overturns", "overturned by")):
            for other in re.findall(rf"{word} \[(\d{{4}})\]", one.status):
                assert f"{back} [{number}]" in found[other].status, f"{one.file} and {found[other].file}"


def test_figures_are_of_the_tables_beside_them(tmp_path):
    figures = module_at(ROOT / "benchmarks/figures.py")
    beside = {str(path.relative_to(DOCS).with_suffix("")) for path in DOCS.rglob("*.tsv")}
    assert set(figures.FIGURES) <= beside
    made = figures.draw(tmp_path)
    assert len(made) == len(figures.FIGURES)
    for path in made:
        name = path.relative_to(tmp_path)
        assert path.stat().st_size > 10_000
        text = "".join(page.read_text() for page in DOCS.rglob("*.md") if page.parent in {DOCS, (DOCS / name).parent})
        assert f"{name.name})" in text, name
        assert (DOCS / name).is_file()


def test_the_goal_that_is_missed_is_that_of_the_table():
    """The numbers in words of method/calibration.md are those of its table."""
    table = pd.read_table(DOCS / "method/calibration.tsv").set_index(["source", "scenario", "prior"])
    text = (DOCS / "method/calibration.md").read_text()
    for source in ("embedded", "founders"):
        row = table.loc[(source, "enrichment_10", "functional")]
        found, lower, upper = (100 * (row[f"found_ratio{end}"] - 1) for end in ("", "_lower", "_upper"))
        assert f"{found:.1f}%" in text
        assert f"{lower:.1f}-{upper:.1f})" in text


def test_the_questions_of_the_calibration_are_those_of_the_table():
    table = pd.read_table(DOCS / "method/calibration_ld.tsv")
    text = (DOCS / "method/calibration.md").read_text()
    for _, row in table.iterrows():
        line = next(line for line in text.splitlines() if line.startswith(f"| {row['ld']} | {row['loci']} |"))
        cells = [cell.strip() for cell in line.strip("|").split("|")][2:]
        found = [f"{row[f'false_{percent}']} of {row[f'hits_{percent}']}: {100 * row[f'fdr_{percent}']:.1f}% "
                 f"({100 * row[f'fdr_lower_{percent}']:.1f}-{100 * row[f'fdr_upper_{percent}']:.1f}), claimed "
                 f"{100 * row[f'claimed_fdr_{percent}']:.1f}%" for percent in (50, 90, 95)]  # fmt: skip
        assert cells == [*found, f"{row['coverage']:.3f}", f"{row['power']:.3f}", f"{row['mean_size']:.2f}"]


def test_the_page_has_the_marks_between_which_a_benchmark_writes():
    text = (DOCS / "method/prior.md").read_text()
    for script in ("score_shape", "enrichment_truth"):
        for mark in re.findall(r'"(<!-- [^"]+ -->)"', (ROOT / f"benchmarks/{script}.py").read_text()):
            assert text.count(mark) == 1


def test_a_resource_of_another_host_is_refused():
    pytest.importorskip("mkdocs")
    site = module_at(ROOT / "tools/mkdocs_hooks.py")
    for wrong in ('<script src="https://x.y/z.js">',
                  '<link rel="stylesheet" href="//x.y/z.css">', "<img alt=a src=http://x/y>",
                  '<link href="https://fonts.x.y" rel="preconnect">', "<style>@import 'http://x'</style>"):  # fmt: skip
        assert site._RESOURCE.search(wrong), wrong
    for right in (
        '<a href="https://doi.org/1">',
        '<script src="assets/a.js">',
        '<link rel="canonical" href="https://x.y">',
    ):
        assert not site._RESOURCE.search(right), right


def examples():
    """The blocks of CONTRIBUTING.md that name a file: path, where, line and text."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    block = r"`([\w/.]+)` \((new|at the end|(?:after|instead of) `([^`\n]+)`)\):\n\n```\w*\n(.*?)^```$"
    return re.findall(block, page, flags=re.MULTILINE | re.DOTALL)


def apply_examples(folder):
    for name, where, line, text in examples():
        path = folder / name
        if where == "new":
            assert not path.exists(), name
            path.write_text(text)
            continue
        old = path.read_text()
        if where == "at the end":
            path.write_text(f"{old.rstrip()}\n{'' if text.startswith(chr(10)) else 2 * chr(10)}{text}")
            continue
        found = [there for there in old.splitlines() if there.strip() == line]
        assert len(found) == 1, f"CONTRIBUTING.md, {name}: {len(found)} lines are '{line}'"
        path.write_text(old.replace(f"{found[0]}\n", text if where.startswith("instead") else f"{found[0]}\n{text}"))


@pytest.mark.slow
def test_the_examples_of_a_stage_and_an_annotation_work(tmp_path):
    """In a copy: each block is put where the page says, the pages are renewed, and tests and linters pass."""
    folder = tmp_path / "copy"
    ignored = shutil.ignore_patterns(
        ".git", ".venv", ".snakemake", "results", "site", "logs", "__pycache__", ".*_cache"
    )
    shutil.copytree(ROOT, folder, ignore=ignored)
    assert len(examples()) >= 13
    apply_examples(folder)

    def run(*command):
        environment = {**os.environ, "PYTHONPATH": str(folder / "scripts")}
        done = subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True,
                              check=False)  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    run("-m", "fineprior.project.dictionary")
    run("tools/pages.py")
    assert "number of intervals of a BED" in (folder / "config/README.md").read_text()
    written = sorted({name for name, *_ in examples() if name.endswith(".py")})
    run("-m", "ruff", "check", *written)
    run("-m", "ruff", "format", "--check", *written)
    tests = [name for name in written if name.startswith("tests/")]
    run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not workflow", "tests/test_house.py", *tests)
    assert "--credible-sets" in run("-m", "fineprior.cli", "count-set-sizes", "--help")


def test_every_page_is_in_the_site_and_in_its_menu():
    config = (ROOT / "mkdocs.yml").read_text()
    menu = set(re.findall(r"[:-] ([\w/-]+\.md)$", config, flags=re.MULTILINE))
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if not page.name[0].isdigit()}
    assert menu - pages == {"config.md", "contributing.md", "changelog.md"}
    assert pages <= menu
