import numpy as np
import pytest

from fineprior.files.tables import SHIFT
from fineprior.genome.fasta import Genome
from fineprior.heads import covariate_shift as shift
from fineprior.heads.covariate_shift import (
    Sample,
    composition,
    composition_rows,
    domain_auroc,
    embedding_rows,
    far_shares,
)


def sample(seed, size=600, moved=0.0, groups=30, dim=8):
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(0).normal(size=(dim, dim))
    embedding = rng.normal(size=(size, dim)) @ mixing + moved
    return Sample(embedding.astype(np.float32), np.repeat([f"g{i}" for i in range(groups)], size // groups))


def test_the_same_kind_of_window_is_not_told_apart():
    assert domain_auroc(sample(1), sample(2)) == pytest.approx(0.5, abs=0.06)
    rows = embedding_rows(sample(1), sample(3), sample(2))
    assert SHIFT.checked(rows, "rows")["verdict"].tolist() == ["fine", "fine"]


def test_other_windows_are_told_apart():
    rows = embedding_rows(sample(1), sample(3), sample(2, moved=4.0)).set_index("measure")
    assert rows["verdict"].tolist() == ["shifted", "shifted"]
    assert rows.loc["told from training windows", "scored"] > 0.9
    assert rows.loc["told from training windows", "training"] == pytest.approx(0.5, abs=0.06)


def test_test_regions_that_are_as_far_are_the_yardstick():
    rows = embedding_rows(sample(1), sample(3, moved=1.0), sample(2, moved=1.0)).set_index("measure")
    assert rows.loc["told from training windows", "scored"] > 0.7
    assert rows.loc["told from training windows", "verdict"] == "fine"


def test_bins_of_one_group_are_not_both_trained_on_and_judged():
    """Groups that carry an offset of their own: a classifier that saw them would know them again."""
    rng = np.random.default_rng(4)
    own = rng.normal(0, 5, (40, 30))
    embedding = (np.repeat(own, 20, 0) + rng.normal(0, 0.1, (800, 30))).astype(np.float32)
    group = np.repeat([f"g{i}" for i in range(40)], 20)
    halves = [Sample(embedding[i::2], group[i::2]) for i in (0, 1)]
    one, two = (Sample(embedding[part], group[part]) for part in (slice(0, 400), slice(400, 800)))
    assert domain_auroc(*halves) < 0.6
    assert domain_auroc(one, two) < 0.75


def test_one_per_cent_is_far_by_definition():
    near, far, none = far_shares(sample(1, 6000), [sample(2, 6000), sample(2, 6000, moved=5.0), sample(2, 0, groups=1)])
    assert near == pytest.approx(0.01, abs=0.006)
    assert far > 0.2
    assert np.isnan(none)


def test_too_few_windows_are_unknown():
    rows = embedding_rows(sample(1), sample(3), sample(2, 4, groups=2))
    assert rows["verdict"].tolist() == ["unknown"]


def test_composition_counts_known_bases(tmp_path):
    (tmp_path / "genome.fa").write_text(">chr1\nACGTNNNNGGGGGGGG\n")
    with Genome(tmp_path / "genome.fa") as genome:
        shares = composition(genome, ["chr1", "chr1", "chr1"], [0, 4, -8], 8)
    assert shares == pytest.approx(np.array([[0.5, 0.5], [1, 0.5], [np.nan, 1]]), nan_ok=True)


@pytest.mark.parametrize(("gc", "n", "verdicts"), [(0.41, 0, ["fine", "fine"]), (0.5, 0.2, ["shifted", "shifted"])])
def test_composition_is_compared_in_standard_deviations(gc, n, verdicts):
    training = np.stack([np.random.default_rng(1).normal(0.4, 0.05, 500), np.zeros(500)], 1)
    rows = composition_rows(training, np.full((10, 2), (gc, n)))
    assert rows["verdict"].tolist() == verdicts
    assert rows["difference"][0] == pytest.approx((gc - training[:, 0].mean()) / training[:, 0].std())


def test_variants_in_training_bins_are_said():
    assert "12.0% of scored variants" in shift.overlap_row(0.12)["sentence"][0]
