import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.sequence.motifs import occupancy
from fineprior.simulate.grammar import (
    DISEASE_RULES,
    GENERAL_GROUPS,
    MAX_ACTIVITY,
    disease_activity,
    general_activity,
    grammar_motifs,
    track_effects,
)


def with_sites(motifs, bins, **counts):
    """Occupancies (bins, motifs) of 0, but `counts` of the named motifs in the middle bin."""
    occupied = np.zeros((bins, len(motifs)), np.float32)
    for name, count in counts.items():
        occupied[bins // 2, [motif.name for motif in motifs].index(name)] = count
    return occupied


def test_driver_and_partner_together_are_more_than_the_sum(motifs):
    driver, partner, both, closed = (
        disease_activity(with_sites(motifs, 5, **counts), motifs)[2, 0]
        for counts in ({"AR": 2}, {"FOXA1": 2}, {"AR": 2, "FOXA1": 2}, {"AR": 2, "FOXA1": 2, "NFYA": 2})
    )
    assert driver == partner == 0
    assert both == pytest.approx(MAX_ACTIVITY * (8**0.5 / (8**0.5 + 0.5**1.5)) ** 2)
    assert closed == pytest.approx(both / 5)


def test_activity_saturates_and_reaches_no_further_than_the_next_bin(motifs):
    activity = disease_activity(with_sites(motifs, 7, AR=1e6, GATA2=1e6), motifs)
    assert activity[3, 0] == pytest.approx(MAX_ACTIVITY)
    assert (activity[[2, 4], 0] > 0).all()
    assert (activity[[0, 1, 5, 6]] == 0).all()


def test_general_tracks_are_additive_and_blind_to_drivers(motifs):
    a, b = with_sites(motifs, 5, SPI1=1, GATA2=0.5), with_sites(motifs, 5, IRF1=2, AR=3)
    total = general_activity(a + b, motifs, 4)
    np.testing.assert_allclose(total, general_activity(a, motifs, 4) + general_activity(b, motifs, 4), rtol=1e-6)
    assert not {d for rule in DISEASE_RULES for d in rule.drivers} & {m for g in GENERAL_GROUPS.values() for m in g}


def test_leading_axes_and_further_motifs_do_not_matter(motifs):
    rng = np.random.default_rng(0)
    occupied = rng.exponential(size=(4, 6, len(motifs))).astype(np.float32)
    batch = disease_activity(occupied, motifs)
    assert batch.shape == (4, 6, 3)
    needed = grammar_motifs(motifs)
    columns = [motifs.index(motif) for motif in needed]
    np.testing.assert_allclose(batch[2], disease_activity(occupied[2][:, columns], needed), rtol=1e-6)


@pytest.mark.slow
def test_track_effects_are_those_of_the_whole_chromosome_computed_again(motifs):
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 4, 2_500).astype(np.uint8)
    names = {motif.name: motif for motif in motifs}
    for start, name in ((700, "AR"), (730, "FOXA1"), (1275, "HOXB13"), (1300, "CEBPA"), (5, "ERG"), (30, "FOSL1")):
        site = names[name].consensus
        codes[start : start + len(site)] = site
    positions = np.array([0, 6, 33, 640, 703, 735, 767, 768, 1279, 1280, 1303, 2_000, 2_499])
    alternatives = ((codes[positions] + 1) % 4).astype(np.uint8)
    expected = []
    before = np.log2(disease_activity(occupancy(codes, motifs), motifs) + 1)
    for position, alternative in zip(positions, alternatives, strict=True):
        changed = codes.copy()
        changed[position] = alternative
        after = np.log2(disease_activity(occupancy(changed, motifs), motifs) + 1)
        expected.append(np.sqrt(((after - before) ** 2).sum()))
    effects = track_effects(codes, positions, alternatives, motifs)
    np.testing.assert_allclose(effects, expected, atol=2e-5)
    assert effects.max() > 1
    assert len(track_effects(codes, positions[:0], alternatives[:0], motifs)) == 0


def test_no_change_has_no_effect(motifs):
    codes = np.random.default_rng(5).integers(0, 4, 2_000).astype(np.uint8)
    positions = np.arange(0, 2_000, 100)
    assert (track_effects(codes, positions, codes[positions], motifs) == 0).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, o: disease_activity(o, m, 4), "disease_tracks: 4 is not allowed; 1 to 3"),
        (lambda m, o: disease_activity(o, m, 0), "disease_tracks: 0 is not allowed"),
        (lambda m, o: general_activity(o, m, 5), "general tracks: 5 is not allowed; 1 to 4"),
        (lambda m, o: disease_activity(o[:, :2], m[:2]), "needs the motif AR, which is absent"),
        (lambda m, o: grammar_motifs(m[:-1]), "needs the motif HOXB13, which is absent"),
    ],
)
def test_what_the_grammar_does_not_have_is_an_error(motifs, call, message):
    with pytest.raises(InputError, match=message):
        call(motifs, np.zeros((3, len(motifs)), np.float32))
