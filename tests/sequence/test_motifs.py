"""Motifs: relations between sites, strands, bins and files."""

from pathlib import Path

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.sequence import motifs as motifs_module
from fineprior.sequence.motifs import (
    Motif,
    occupancy,
    read_motifs,
    site_thresholds,
)

SHIPPED = Path(__file__).parents[2] / "resources" / "backbone" / "motifs.meme"


@pytest.fixture(scope="module")
def motifs() -> list[Motif]:
    return read_motifs(SHIPPED)


@pytest.fixture
def codes() -> np.ndarray:
    rng = np.random.default_rng(1)
    bases = rng.integers(0, 4, 128 * 40).astype(np.uint8)
    bases[rng.random(len(bases)) < 0.01] = 4
    return bases


def score_sites(codes, motif):
    return motifs_module._score_words(motifs_module._words(codes), codes, motif)


def reverse_complement(codes):
    return np.where(codes < 4, 3 - codes, 4).astype(np.uint8)[::-1]


def test_shipped_motifs(motifs):
    assert len(motifs) == 24
    assert len({motif.name for motif in motifs}) == 24
    assert all(7 <= motif.width <= 15 for motif in motifs)
    by_name = {motif.name: motif for motif in motifs}
    assert "".join("ACGT"[code] for code in by_name["CEBPA"].consensus) == "ATTGCACAAT"
    assert by_name["CTCF"].motif_id == "MA0139.2"
    assert "CC BY 4.0" in SHIPPED.read_text()


def test_scores_equal_the_sum_over_columns(motifs, codes):
    for motif in motifs[:6]:
        scores = score_sites(codes, motif)
        assert scores.shape == (2, len(codes))
        assert scores.dtype == np.float32
        for start in range(0, len(codes) - motif.width, 37):
            site = codes[start : start + motif.width]
            known = (site < 4).all()
            for strand, matrix in enumerate((motif.log_odds, motif.log_odds[::-1, ::-1])):
                expected = matrix[np.arange(motif.width), site % 4].sum() if known else -np.inf
                assert scores[strand, start] == pytest.approx(expected, abs=1e-4)
        assert np.isneginf(scores[:, len(codes) - motif.width + 1 :]).all()


def test_reverse_complement_swaps_strands(motifs, codes):
    turned = reverse_complement(codes)
    for motif in motifs:
        starts = len(codes) - motif.width + 1
        there = score_sites(codes, motif)[:, :starts]
        back = score_sites(turned, motif)[::-1, :starts][:, ::-1]
        np.testing.assert_allclose(there, back, atol=1e-4)


def test_occupancy_of_the_reverse_complement_is_reversed(motifs, codes):
    there = occupancy(codes, motifs)
    assert there.shape == (40, 24)
    np.testing.assert_allclose(there, occupancy(reverse_complement(codes), motifs)[::-1], atol=1e-5)


def test_planted_consensus_is_the_top_site(motifs):
    for motif in motifs:
        codes = np.random.default_rng(3).integers(0, 4, 512).astype(np.uint8)
        codes[200 : 200 + motif.width] = motif.consensus
        scores = score_sites(codes, motif)
        best = motif.log_odds.max(1).sum()
        assert scores[0, 200] == pytest.approx(best, abs=1e-4)
        assert scores.max() == pytest.approx(best, abs=1e-4)


def test_a_site_belongs_to_the_bin_of_its_centre(motifs):
    motif = motifs[0]
    for start, expected in ((128 - motif.width // 2 - 1, 0), (128 - motif.width // 2, 1)):
        codes = np.full(256, 4, dtype=np.uint8)
        codes[start : start + motif.width] = motif.consensus
        assert occupancy(codes, [motif])[:, 0].argmax() == expected


def test_occupancy_is_the_sum_over_sites_of_a_sigmoid(motifs, codes):
    thresholds = site_thresholds(motifs)
    for index in (0, 7):
        scores = score_sites(codes, motifs[index]).astype(float)
        expected = (1 / (1 + np.exp(np.minimum(thresholds[index] - scores, 700)))).sum()
        total = occupancy(codes, motifs, thresholds=thresholds)[:, index].sum()
        assert total == pytest.approx(expected, rel=1e-4)


def test_blocks_do_not_change_occupancy(motifs, codes, monkeypatch):
    whole = occupancy(codes, motifs)
    monkeypatch.setattr(motifs_module, "_BLOCK", 512)
    np.testing.assert_allclose(occupancy(codes, motifs), whole, rtol=1e-5, atol=1e-7)


def test_only_n_and_short_sequences_have_no_sites(motifs):
    assert not occupancy(np.full(300, 4, dtype=np.uint8), motifs).any()
    assert occupancy(np.zeros(3, dtype=np.uint8), motifs).shape == (1, 24)
    assert occupancy(np.zeros(0, dtype=np.uint8), motifs).shape == (0, 24)


@pytest.mark.slow
def test_thresholds_are_reached_as_often_as_asked(motifs):
    codes = np.random.default_rng(5).integers(0, 4, 2_000_000).astype(np.uint8)
    thresholds = site_thresholds(motifs)
    for motif, threshold in zip(motifs, thresholds, strict=True):
        best = motif.log_odds.max(1).sum()
        assert 0.5 * best <= threshold <= 0.85 * best
    inside = [
        (motif, threshold)
        for motif, threshold in zip(motifs, thresholds, strict=True)
        if 0.51 < threshold / motif.log_odds.max(1).sum() < 0.84
    ]
    assert len(inside) > 8
    reached = [(score_sites(codes, motif) >= threshold).mean() for motif, threshold in inside]
    # The threshold is the lowest score reached at most so often; scores of short motifs come in jumps.
    assert max(reached) < 1.15e-4
    assert np.mean(reached) > 0.8e-4


GOOD = """MEME version 4
ALPHABET= ACGT
MOTIF M1 one
letter-probability matrix: alength= 4 w= 2
0.7 0.1 0.1 0.1
0.1 0.7 0.1 0.1
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("MEME version 4", "MOTIFS", "not a MEME motif file"),
        ("ACGT", "ACGU", "only 'ALPHABET= ACGT'"),
        ("MOTIF M1 one\n", "", "before the first MOTIF"),
        ("MOTIF M1 one", "MOTIF", "MOTIF without an id"),
        ("w= 2", "w= 3", "w=3 rows of four numbers"),
        ("w= 2", "width", "not a matrix with w="),
        ("0.7 0.1 0.1 0.1\n", "0.7 0.1 0.2\n", "rows of four numbers"),
        ("0.7 0.1 0.1 0.1\n", "0.8 0.1 0.1 0.0\n", "must be above 0"),
        ("0.7 0.1 0.1 0.1\n", "0.7 0.1 0.1 nan\n", "must be above 0"),
        ("0.7 0.1 0.1 0.1\n", "0.7 0.1 0.1 0.2\n", "row 1 does not sum to 1"),
        ("0.7 0.1 0.1 0.1\n", "0.7 0.1 x 0.1\n", "could not convert"),
        (GOOD[GOOD.index("MOTIF") :], "", "no motif found"),
        ("0.1 0.7 0.1 0.1\n", "0.1 0.7 0.1 0.1\nMOTIF M1 two\n", "M1 occurs twice"),
    ],
)
def test_bad_files(tmp_path, old, new, message):
    path = tmp_path / "bad.meme"
    path.write_text(GOOD)
    assert read_motifs(path)[0].width == 2
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_motifs(path)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="no such motif file"):
        read_motifs(tmp_path / "none.meme")
