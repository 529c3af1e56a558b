"""What priors are made of, by the settings."""

import numpy as np
import pandas as pd
import pytest

from fineprior.files.errors import InputError
from fineprior.genotypes.ld_store import LocusLd, write_ld
from fineprior.project.settings import PriorSettings
from fineprior.steps.prior_data import (
    feature_kinds,
    frequencies,
    genome_order,
    locus_ld_scores,
    read_locus_ld,
)

KINDS = {"peaks": "bed", "tss": "tss", "cadd": "value", "sad": "score"}


@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({}, {"score": "score"}),
        ({"scores": "tracks"}, {"a.l2": "score", "b.l2": "score"}),
        ({"source": "given"}, {"prior": "log"}),
        ({"source": "given", "given_as": "score"}, {"given": "score"}),
        ({"source": "supervised"}, {"prior": "log"}),
        ({"source": "heritability"}, {"prior": "log"}),
    ],
)
def test_annotations_stand_beside_every_source(settings, first):
    frame = pd.DataFrame(columns=["score", "a.l2", "b.l2"])
    rest = {"peaks": "value", "tss": "distance", "cadd": "value", "sad": "score"}
    assert feature_kinds(frame, PriorSettings(**settings), KINDS) == {"functional": first | rest}
    held = feature_kinds(frame, PriorSettings(**settings, controls=["tss", "sad"]), KINDS)
    own = {"peaks": "value", "cadd": "value"}
    assert held == {"functional": first | own, "tss": {"tss": "distance"}, "sad": {"sad": "score"}}


def test_tracks_of_which_none_is_good_enough_leave_the_missing_score():
    frame = pd.DataFrame(columns=["score", "a.sad"])
    assert feature_kinds(frame, PriorSettings(scores="tracks"), {}) == {"functional": {"score": "score"}}


def test_loci_are_in_genome_order_whatever_the_batches():
    rows = [("x", "chr10", 5), ("a", "chr2", 9), ("a", "chr2", 11), ("b", "chr2", 3), ("b", "chr2", 4)]
    frame = pd.DataFrame(rows, columns=["locus", "chrom", "pos"])
    assert genome_order(frame)["locus"].tolist() == ["b", "b", "a", "a", "x"]


def test_frequencies_of_the_gwas_and_else_of_the_panel():
    frame = pd.DataFrame({"eaf": [0.2, np.nan], "panel_af": [0.3, 0.4]})
    assert frequencies(frame).tolist() == [0.2, 0.4]


def test_ld_is_in_the_order_of_the_variants_that_have_it(tmp_path):
    R = np.array([[1, 0.5, 0.1], [0.5, 1, 0.2], [0.1, 0.2, 1]], np.float32)
    path = str(tmp_path / "ld.npz")
    write_ld(path, [LocusLd("a", R, np.array(["x", "y", "z"]), {"v": "trimmed"}), LocusLd("b", R[:0, :0],
             np.array([], dtype=str), {"x": "no_ld", "y": "no_ld"})])  # fmt: skip
    found, known = read_locus_ld(path, "a", ["z", "v", "x"])
    np.testing.assert_array_equal(found, R[np.ix_([2, 0], [2, 0])])
    assert known.tolist() == [True, False, True]
    scores = locus_ld_scores(path, "a", ["z", "v", "x"])
    assert np.isfinite(scores).tolist() == [True, False, True]
    with pytest.raises(InputError, match="no LD of variant w"):
        read_locus_ld(path, "a", ["x", "w"])
