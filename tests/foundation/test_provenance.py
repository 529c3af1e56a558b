"""A rule's code digest follows its imports, and only them."""

import pytest

from fineprior.foundation import provenance
from fineprior.foundation.provenance import code_digest, module_digests, modules_of_step

FILES = {
    "steps/study.py": """
from fineprior.genetics.ld import correlation
from fineprior.genetics.loci import find

LIMIT = 1


def compute_ld():
    return correlation()


def define_loci():
    return find()


def _shared():
    return LIMIT
""",
    "genetics/ld.py": "from fineprior.genetics import variants\ndef correlation():\n    return variants.flip()\n",
    "genetics/loci.py": "def find():\n    return 1\n",
    "genetics/variants.py": "def flip():\n    return 2\n",
    "genetics/variants.html.j2": "<p>1</p>",
    "genetics/variants.js": "page(1)",
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
    for cached in (provenance._file_imports, provenance._step_code, code_digest):
        cached.cache_clear()
    return {step: code_digest(f"study.{step}", root) for step in ("compute_ld", "define_loci")}


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("genetics/variants.py", "return 2", "return 4", {"compute_ld"}),
        ("genetics/variants.html.j2", "1", "2", {"compute_ld"}),
        ("genetics/variants.js", "1", "2", {"compute_ld"}),
        ("genetics/loci.py", "return 1", "return 4", {"define_loci"}),
        ("report/plots.py", "return 3", "return 4", set()),
        ("steps/study.py", "LIMIT = 1", "LIMIT = 2", {"compute_ld", "define_loci"}),
        ("steps/study.py", "return find()", "return find() + 1", {"define_loci"}),
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
    assert modules_of_step("study.compute_ld", root) == ["genetics/ld.py", "genetics/variants.py", "steps/study.py"]
    before = module_digests(root)
    assert set(before) == {name for name in FILES if name.endswith(".py")}
    (root / "fineprior/genetics/variants.html.j2").write_text("<p>2</p>")
    after = module_digests(root)
    assert [name for name in before if before[name] != after[name]] == ["genetics/variants.py"]
