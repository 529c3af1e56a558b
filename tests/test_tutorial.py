"""docs/tutorial.md runs as it stands, ends where it says, and its figures are those of its code."""

import re
from pathlib import Path

import pytest

from fineprior.files.tables import LEARNING_CURVE

pytestmark = pytest.mark.slow
DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "tutorial.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Folder and names after all blocks, run in one go."""
    folder = tmp_path_factory.mktemp("tutorial")
    code = "\n\n".join(re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL))
    names = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(code, "docs/tutorial.md", "exec"), names)
    return folder, names


def test_the_head_predicts_and_more_regions_help(ended):
    _, names = ended
    assert names["quality"]["pearson_r"][0] > 0.4
    assert names["quality_tuned"]["pearson_r"][0] > names["quality"]["pearson_r"][0]
    curve = LEARNING_CURVE.checked(names["curve"], "curve")
    assert curve["pearson_r"].iloc[-1] > curve["pearson_r"].iloc[0]


def test_fine_tuning_changed_the_backbone_or_kept_the_head(ended):
    _, names = ended
    assert names["tuned"].trunk
    assert names["tuned"].base == names["head"].backbone


def test_the_variant_in_the_site_matters_and_lowers_the_signal(ended):
    _, names = ended
    scores = names["scores"]
    assert scores["score"][0] > 2 * scores["score"][1]
    assert scores["coverage.sad"][0] < 0


def test_every_figure_is_made_by_the_code_and_small(ended):
    folder, _ = ended
    shown = set(re.findall(r"!\[[^]]+\]\(tutorial/([^)]+)\)", TEXT))
    assert (
        shown == {path.name for path in folder.glob("*.png")} == {path.name for path in (DOCS / "tutorial").iterdir()}
    )
    assert all(path.stat().st_size < 100_000 for path in (DOCS / "tutorial").iterdir())
