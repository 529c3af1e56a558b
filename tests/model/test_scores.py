import numpy as np
import pandas as pd
import pytest

from fineprior.foundation.errors import InputError
from fineprior.foundation.tables import SCORES
from fineprior.model.embeddings import VariantEmbeddings
from fineprior.model.head import Head
from fineprior.model.scores import predicted_alleles, score_table, track_scores

RNG = np.random.default_rng(1)
DIM, TRACKS = 5, ("liver", "kidney")
HEAD = Head(RNG.normal(size=(2, DIM)).astype(np.float32), np.ones(2, np.float32), TRACKS, "digest", 128)


def embedded(count=6, seed=2, **changes):
    rng = np.random.default_rng(seed)
    shape = (count, 2, 4, DIM)
    fields = {
        "variant_id": np.array([f"chr1:{10 + row}:A:C" for row in range(count)]),
        "status": np.full(count, "scored"),
        "reference": rng.normal(size=shape).astype(np.float32),
        "difference": (0.1 * rng.normal(size=shape)).astype(np.float32),
        "backbone": "digest",
        "bin_size": 128,
    }
    return VariantEmbeddings(**fields | changes)


def variants(names):
    parts = [name.split(":") for name in names]
    frame = pd.DataFrame(parts, columns=["chrom", "pos", "ref", "alt"])
    return frame.assign(locus="L", variant_id=list(names), pos=frame["pos"].astype(int), z=1.0)


def test_scores_by_hand():
    """One bin of signal 1 -> 3 and one of 3 -> 1: log2 ratios 1 and -1, no change in sum."""
    l2, sad = track_scores(np.array([[[1.0], [3.0]]]), np.array([[[3.0], [1.0]]]))
    assert l2[0, 0] == pytest.approx(np.sqrt(2))
    assert sad[0, 0] == pytest.approx(0)
    l2, sad = track_scores(np.array([[[1.0], [3.0]]]), np.array([[[3.0], [3.0]]]))
    assert (l2[0, 0], sad[0, 0]) == pytest.approx((1, 2))


def test_alleles_are_predicted_by_the_head_and_strands_averaged():
    made = embedded(1)
    reference, alternative = predicted_alleles(HEAD, made.reference, made.difference)
    assert reference.shape == (1, 4, 2)

    def softplus(x):
        return np.log1p(np.exp(x))

    whole = made.reference[0, :, 2].astype(float) + made.difference[0, :, 2]
    assert alternative[0, 2] == pytest.approx(softplus(whole @ HEAD.weight.T + HEAD.bias).mean(0))
    assert np.allclose(reference, predicted_alleles(HEAD, made.reference[:, ::-1], made.difference)[0])


def test_swapped_alleles_negate_signed_scores_and_keep_magnitudes():
    made = embedded()
    swapped = embedded(reference=made.reference + made.difference, difference=-made.difference)
    names = variants(made.variant_id)
    first, second = score_table(names, made, HEAD), score_table(names, swapped, HEAD)
    assert np.allclose(first["liver.sad"], -second["liver.sad"], atol=1e-6)
    assert np.allclose(first["kidney.l2"], second["kidney.l2"], atol=1e-6)
    assert np.allclose(first["score"], second["score"], atol=1e-6)
    assert (first["score"] > 0).all()


def test_small_effects_beside_large_signal_are_not_rounded_away():
    reference = np.full((1, 1, 1, 1), 1e4, np.float32)
    head = Head(np.ones((1, 1), np.float32), np.zeros(1, np.float32), ("t",), "digest", 128)
    predicted = predicted_alleles(head, reference, np.full_like(reference, 1e-4))
    assert track_scores(*predicted)[1][0, 0] == pytest.approx(1e-4, rel=1e-3)


def test_table_is_joined_by_variant_and_says_what_was_not_scored():
    made = embedded(status=np.array(["scored"] * 4 + ["indel", "all_n"]))
    order = np.array([4, 2, 0, 5, 2])
    table = SCORES.checked(score_table(variants(made.variant_id[order]), made, HEAD), "scores")
    assert table["variant_id"].tolist() == made.variant_id[order].tolist()
    assert table["status"].tolist() == ["indel", "scored", "scored", "all_n", "scored"]
    assert table["score"].isna().tolist() == [True, False, False, True, False]
    assert table.columns[-4:].tolist() == ["liver.l2", "liver.sad", "kidney.l2", "kidney.sad"]
    scored = table.dropna()
    assert np.allclose(scored["score"], np.hypot(scored["liver.l2"], scored["kidney.l2"]))
    alone = score_table(variants(made.variant_id[[2]]), made, HEAD)
    assert alone["score"].item() == pytest.approx(table["score"][1])


def test_no_difference_is_no_effect():
    made = embedded()
    table = score_table(variants(made.variant_id), embedded(difference=np.zeros_like(made.difference)), HEAD)
    assert not table.drop(columns=SCORES.names[:7]).to_numpy().any()


def test_batch_without_variants():
    table = score_table(variants([]).astype({"pos": int}), embedded(0), HEAD)
    assert len(SCORES.checked(table, "scores")) == 0


def test_head_of_another_backbone():
    with pytest.raises(InputError, match=r"trained on backbone digest, but .* backbone other"):
        score_table(variants(["chr1:10:A:C"]), embedded(backbone="other"), HEAD)


def test_variant_without_embedding():
    with pytest.raises(InputError, match="1 of 2 variants have no embedding, the first is chr1:99:A:C"):
        score_table(variants(["chr1:10:A:C", "chr1:99:A:C"]), embedded(), HEAD)
