"""Windows put together from tokens that are computed once."""

import numpy as np
import pytest
import torch

from fineprior.engine import tokens as module
from fineprior.engine.enformer import Tower, use_pair_pools
from fineprior.engine.tokens import Allele, WindowTokens
from toy_enformer import toy_enformer

SIZE, TOKENS = 8, 96
NOISE = 1e-4


class Counting:
    """A backbone that has a tower only, of tokens of 8 bp, and counts the tokens that it computes."""

    def __init__(self, device):
        enformer = toy_enformer(num_downsamples=3).requires_grad_(False).to(device)
        use_pair_pools(enformer)
        self._tower = Tower(enformer)
        self.token_size, self.reach = self._tower.token_size, self._tower.reach
        self.context_length = SIZE * TOKENS
        self.device = device
        self.computed = 0

    def tower(self, one_hot):
        self.computed += one_hot.shape[0] * one_hot.shape[1] // SIZE
        return self._tower(one_hot)


@pytest.fixture
def backbone(device):
    return Counting(device)


@pytest.fixture(scope="module")
def codes():
    made = np.random.default_rng(1).integers(0, 4, 3001, np.uint8)
    made[700:900] = 4
    return made


def whole(backbone, codes):
    return backbone._tower(torch.eye(5, 4, device=backbone.device)[torch.from_numpy(codes[None]).int()])[0]


@pytest.mark.parametrize("start", [0, 1, 8, 517, 1000, 2225, 2233])
@pytest.mark.parametrize("plain", [False, True])
def test_windows_are_those_of_the_whole_tower(backbone, codes, start, plain, monkeypatch, slack):
    if plain:
        monkeypatch.setattr(module, "_PLAIN_TOKENS", TOKENS)
    found = WindowTokens(codes, backbone).windows([start])[0]
    expected = whole(backbone, codes[start : start + SIZE * TOKENS])
    assert found.shape == expected.shape == (TOKENS, 24)
    assert (found - expected).abs().max() < NOISE * slack


@pytest.mark.parametrize(
    ("first", "last"), [(0, 1), (0, 3), (1, 2), (2, 5), (3, 93), (50, 96), (92, 94), (94, 95), (0, 96)]
)
def test_parts_of_a_window(backbone, codes, first, last, slack):
    expected = whole(backbone, codes[333 : 333 + SIZE * TOKENS])[first:last]
    found = WindowTokens(codes, backbone).part(333, first, last)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < NOISE * slack


def test_windows_of_one_phase_share_all_but_their_ends(backbone, codes):
    tokens = WindowTokens(codes, backbone)
    tokens.windows([800])
    before = backbone.computed
    tokens.windows([800])
    assert backbone.computed == before
    tokens.windows([808])
    assert backbone.computed == before + 2 * 6
    tokens.windows([809])
    assert backbone.computed > before + 2 * 6 + 2 * 6 + 64


@pytest.mark.slow
def test_what_is_kept_is_bounded(backbone, codes, monkeypatch, slack):
    monkeypatch.setitem(module._STRETCH_TOKENS, backbone.device.type, 64)  # shorter than what may be kept
    tokens = WindowTokens(codes, backbone, cache_bytes=200 * 24 * 4)
    for start in range(0, 2200, 37):
        tokens.windows([start])
        assert sum(kept.nbytes for kept in tokens._kept.values()) <= 200 * 24 * 4
    expected = whole(backbone, codes[37 : 37 + SIZE * TOKENS])
    assert (tokens.windows([37])[0] - expected).abs().max() < NOISE * slack


@pytest.mark.parametrize("inserted", ["", "A", "CCGT", "ACGTTGCA" * 7])
@pytest.mark.parametrize("removed", [0, 1, 30])
@pytest.mark.parametrize("site", [1000, 1004, 1007])
def test_alleles_as_edits_of_the_window_that_keeps_one_side(backbone, codes, inserted, removed, site, slack):
    allele = np.array(["ACGT".index(base) for base in inserted], np.uint8)
    net, start = len(allele) - removed, site - 387
    length = SIZE * TOKENS
    tokens = WindowTokens(codes, backbone)
    for left, right in ((start, start - net), (start + net, start)):
        found = Allele(left, right, site - left, allele)
        first, changed = tokens.edit(found, tokens.changed_tokens([found])[0], start)
        window = tokens.windows([start])[0].clone()
        window[first : first + len(changed)] = changed
        bases = np.concatenate([codes[left:site], allele, codes[site + removed : right + length]])
        assert (window - whole(backbone, bases)).abs().max() < NOISE * slack


def test_alleles_of_one_length_change_few_tokens(backbone, codes):
    tokens = WindowTokens(codes, backbone)
    counts = {len(tokens.changed_tokens([Allele(100, 100, place, codes[:1])])[0]) for place in range(300, 320)}
    assert counts == {5, 6}
    assert tokens.changed(Allele(100, 100, 0, codes[:1])) == (0, 3)
    assert tokens.changed(Allele(100, 100, SIZE * TOKENS - 1, codes[:1])) == (TOKENS - 3, TOKENS)
