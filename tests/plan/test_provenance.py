"""A rule's code digest follows its imports, and only them."""

import shutil

import pytest

from fineprior.plan import provenance
from fineprior.plan.provenance import PACKAGE_ROOT, code_digest, module_digests, modules_of_step
from fineprior.plan.stages import module_of

FILES = {
    "steps/genetics.py": """
from fineprior.genotypes.ld import correlation
from fineprior.genome.loci import find

LIMIT = 1


def compute_ld():
    return correlation()


def define_loci():
    return find()


def _shared():
    return LIMIT
""",
    "genotypes/ld.py": "from fineprior.genome import alleles\ndef correlation():\n    return alleles.flip()\n",
    "genome/loci.py": "def find():\n    return 1\n",
    "genome/alleles.py": "def flip():\n    return 2\n",
    "genome/alleles/page.html.j2": "<p>1</p>",
    "genome/alleles/page.js": "page(1)",
    "report/plots.py": "def plot():\n    return 3\n",
}


@pytest.fixture
def root(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "fineprior" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def digests(root):
    for cached in (provenance._file_imports, provenance._step_code, code_digest, module_of):
        cached.cache_clear()
    return {step: code_digest(step, root) for step in ("compute_ld", "define_loci")}


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("genome/alleles.py", "return 2", "return 4", {"compute_ld"}),
        ("genome/alleles/page.html.j2", "1", "2", {"compute_ld"}),
        ("genome/alleles/page.js", "1", "2", {"compute_ld"}),
        ("genome/loci.py", "return 1", "return 4", {"define_loci"}),
        ("report/plots.py", "return 3", "return 4", set()),
        ("steps/genetics.py", "LIMIT = 1", "LIMIT = 2", {"compute_ld", "define_loci"}),
        ("steps/genetics.py", "return find()", "return find() + 1", {"define_loci"}),
    ],
)
def test_digest_follows_imports(root, file, old, new, changed):
    before = digests(root)
    path = root / "fineprior" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    after = digests(root)
    assert {step for step in before if before[step] != after[step]} == changed


def test_modules_of_a_step_are_those_of_its_digest(root):
    assert modules_of_step("compute_ld", root) == [
        "genome/alleles.py",
        "genotypes/ld.py",
        "steps/genetics.py",
    ]
    before = module_digests(root)
    assert set(before) == {name for name in FILES if name.endswith(".py")}
    (root / "fineprior/genome/alleles/page.html.j2").write_text("<p>2</p>")
    after = module_digests(root)
    assert [name for name in before if before[name] != after[name]] == ["genome/alleles.py"]


DATA = sorted(path.name for path in (PACKAGE_ROOT / "fineprior/report/page").iterdir())


@pytest.mark.parametrize("name", DATA)
def test_an_edited_template_style_or_script_reruns_the_report(tmp_path, name):
    copied = shutil.copytree(PACKAGE_ROOT / "fineprior", tmp_path / "fineprior", ignore=shutil.ignore_patterns("*.pyc"))
    of_rules = {rule: code_digest(rule, tmp_path) for rule in ("report", "finemap", "methods")}
    code_digest.cache_clear()
    path = copied / "report/page" / name
    path.write_text(path.read_text() + "\n")
    after = {rule: code_digest(rule, tmp_path) for rule in of_rules}
    assert [rule for rule in of_rules if of_rules[rule] != after[rule]] == ["report"]
