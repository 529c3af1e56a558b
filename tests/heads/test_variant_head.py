import numpy as np
import pytest

from fineprior.engine.variant_embeddings import VariantEmbeddings
from fineprior.files.errors import InputError
from fineprior.files.tables import VARIANT_HEAD_METRICS
from fineprior.heads.variant_head import (
    fit_logistic,
    load_variant_head,
    read_labels,
    train_variant_head,
    variant_features,
    write_variant_head,
)

DIM = 12


def data(seed=1, variants=1500, strength=1.0, base=-1.5):
    """Features of variants on six chromosomes, and labels drawn from true probabilities."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(variants, DIM)) * np.geomspace(0.1, 10, DIM) + 3
    logit = strength * (features[:, :3] - 3) @ np.array([8.0, -4.0, 2.0]) / 2 + base
    chrom = rng.choice([f"chr{number}" for number in range(1, 7)], variants)
    return features, rng.random(variants) < 1 / (1 + np.exp(-logit)), chrom, 1 / (1 + np.exp(-logit))


@pytest.mark.slow
@pytest.mark.parametrize("calibration", ["platt", "isotonic"])
def test_probabilities_are_calibrated_and_rank(calibration):
    features, label, chrom, truth = data(variants=4000, strength=3.0)
    head, metrics = train_variant_head(features, label, chrom, "b", calibration)
    found = head.probability(features, chrom)
    figures = VARIANT_HEAD_METRICS.checked(metrics, "metrics").set_index("measure")["value"]
    assert figures["base_rate"] == pytest.approx(label.mean())
    assert figures["auroc"] > 0.7
    assert figures["log_loss"] < figures["log_loss_base_rate"] - 0.02
    assert found.mean() == pytest.approx(label.mean(), abs=0.02)
    for low, high in ((0, 0.15), (0.15, 0.35), (0.35, 1)):
        rows = (found > low) & (found <= high)
        assert label[rows].mean() == pytest.approx(found[rows].mean(), abs=0.05)
    assert np.corrcoef(found, truth)[0, 1] > 0.9


@pytest.mark.slow
def test_labels_of_a_chromosome_do_not_touch_its_probabilities():
    features, label, chrom, _ = data(variants=600)
    other = np.where(chrom == "chr2", ~label, label)
    for calibration in ("platt", "isotonic"):
        one, two = (train_variant_head(features, labels, chrom, "b", calibration)[0] for labels in (label, other))
        rows = chrom == "chr2"
        assert np.array_equal(
            one.probability(features[rows], chrom[rows]), two.probability(features[rows], chrom[rows])
        )
        assert not np.array_equal(one.probability(features, chrom), two.probability(features, chrom))


@pytest.mark.slow
def test_a_chromosome_may_be_called_with_or_without_chr():
    features, label, chrom, _ = data(variants=600)
    head, _ = train_variant_head(features, label, chrom, "b")
    plain = np.char.replace(chrom, "chr", "")
    assert np.array_equal(head.probability(features, plain), head.probability(features, chrom))
    again, _ = train_variant_head(features, label, plain, "b")
    assert np.array_equal(again.probability(features, chrom), head.probability(features, chrom))


def test_other_chromosomes_get_the_model_of_all():
    features, label, chrom, _ = data(variants=600)
    head, _ = train_variant_head(features, label, chrom, "b")
    new = head.probability(features, np.full(len(chrom), "chrX"))
    assert np.array_equal(new, head.probability(features, np.full(len(chrom), "chr99")))
    assert not np.array_equal(new, head.probability(features, chrom))


@pytest.mark.slow
def test_labels_without_meaning_leave_the_base_rate():
    features, label, chrom, _ = data(variants=900, strength=0.0)
    head, metrics = train_variant_head(features, label, chrom, "b")
    figures = metrics.set_index("measure")["value"]
    assert figures["log_loss"] == pytest.approx(figures["log_loss_base_rate"], abs=0.02)
    assert head.probability(features, chrom).std() < 0.05


def test_balanced_classes():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(400, 2))
    label = x[:, 0] + rng.normal(size=400) > 1.5
    few, more = x[label], x[~label]
    weight, intercept = fit_logistic(x, label, 1e-6)
    copies = round(len(more) / len(few))
    again, intercept_again = fit_logistic(np.concatenate([more, *[few] * copies]),
                                          np.repeat([False, True], [len(more), copies * len(few)]), 1e-6)  # fmt: skip
    assert np.allclose(weight, again, atol=0.05)
    assert intercept == pytest.approx(intercept_again, abs=0.2)


def test_features_do_not_know_the_allele(tmp_path):
    rng = np.random.default_rng(3)
    difference = rng.normal(size=(4, 2, 4, 5)).astype(np.float32)
    one = VariantEmbeddings(np.array(list("abcd")), np.full(4, "scored"), difference, difference, "b", 128)
    two = VariantEmbeddings(one.variant_id, one.status, difference, -difference, "b", 128)
    assert np.array_equal(variant_features(one), variant_features(two))
    doubled = VariantEmbeddings(one.variant_id, one.status, difference, 2 * difference, "b", 128)
    assert np.allclose(variant_features(doubled), variant_features(one) + np.log(2), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("calibration", ["platt", "isotonic"])
def test_round_trip_and_same_bytes(tmp_path, calibration):
    features, label, chrom, _ = data(variants=300)
    for name in ("one", "two"):
        write_variant_head(train_variant_head(features, label, chrom, "b", calibration)[0], tmp_path / f"{name}.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    head = train_variant_head(features, label, chrom, "b", calibration)[0]
    again = load_variant_head(tmp_path / "one.npz")
    assert (again.backbone, again.base_rate) == ("b", head.base_rate)
    assert np.array_equal(again.probability(features, chrom), head.probability(features, chrom))


def test_too_few(tmp_path):
    features, label, chrom, _ = data(variants=300)
    with pytest.raises(InputError, match=r"on 2 chromosome\(s\); three are needed"):
        train_variant_head(features, label, np.where(chrom < "chr4", "chr1", "chr2"), "b")
    rare = np.zeros(300, bool)
    rare[:6] = True
    with pytest.raises(InputError, match=r"without chromosome \d only \d are causal; 5 are needed"):
        train_variant_head(features, rare, chrom, "b")


def test_causal_variants_on_too_few_chromosomes_to_calibrate():
    features, label, chrom, _ = data(variants=600)
    with pytest.raises(InputError, match="without chromosome 1 only 0 causal ones can be held out"):
        train_variant_head(features, label & np.isin(chrom, ["chr1", "chr2"]), chrom, "b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        ("variant_id\tcausal\n", "no column 'label'; it has variant_id, causal"),
        ("variant_id\tlabel\n1:5:A:G\t1\nrs1\t0\n", "line 3: variant_id 'rs1' must be chrom:pos:ref:alt"),
        ("variant_id\tlabel\n1:5:A:G\tyes\n", r"line 2: label 'yes' must be 1 \(causal\) or 0 \(control\)"),
        ("variant_id\tlabel\n1:5:A:G\t1\n1:5:A:G\t0\n", "line 3: variant '1:5:A:G' occurs twice"),
        ("variant_id\tlabel\n1:5:A:G\t1\nchr1:5:A:G\t0\n", "line 3: variant 'chr1:5:A:G' occurs twice"),
        ("variant_id\tlabel\n1:5:A:A\t1\n", "line 2: variant '1:5:A:A' has one allele only"),
        ("", "not a tab-separated table"),
    ],
)
def test_wrong_labels(tmp_path, text, message):
    if text is not None:
        (tmp_path / "labels.tsv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_labels(tmp_path / "labels.tsv")


def test_labels(tmp_path):
    (tmp_path / "labels.tsv").write_text("variant_id\tlabel\tsource\nchr1:5:A:G\t1\tmpra\nchrX:7:AT:A\t0\tmpra\n")
    table = read_labels(tmp_path / "labels.tsv")
    assert table[["chrom", "pos", "ref", "alt", "label"]].to_numpy().tolist() == [
        ["chr1", 5, "A", "G", True],
        ["chrX", 7, "AT", "A", False],
    ]
    assert table["locus"].tolist() == table["variant_id"].tolist()
    with pytest.raises(InputError, match=r"labels\.variants is missing"):
        read_labels("")
