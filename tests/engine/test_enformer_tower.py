"""The tower against the library's, and how far a base reaches."""

import copy

import pytest
import torch

from fineprior.engine.enformer import PairPool, Tower, use_pair_pools
from toy_enformer import toy_enformer

LENGTH = 64 * 32


@pytest.fixture(scope="module")
def enformer(device):
    return toy_enformer().requires_grad_(False).to(device)


@pytest.fixture(scope="module")
def tower(enformer):
    fast = copy.deepcopy(enformer)
    use_pair_pools(fast)
    return Tower(fast)


@pytest.fixture(scope="module")
def bases(device):
    codes = torch.randint(0, 4, (2, LENGTH), generator=torch.Generator().manual_seed(3))
    one_hot = torch.nn.functional.one_hot(codes, 4).float()
    one_hot[1, 500:600] = 0
    return one_hot.to(device)


def test_tokens_are_the_librarys(enformer, tower, bases, slack):
    expected = enformer.conv_tower(enformer.stem(bases.transpose(1, 2))).transpose(1, 2)
    found = tower(bases)
    assert found.shape == (2, 64, 24)
    assert (found - expected).abs().max() < 1e-4 * slack * expected.std()


def test_pools_keep_their_weights(enformer):
    fast = copy.deepcopy(enformer)
    before = list(fast.state_dict())
    use_pair_pools(fast)
    assert list(fast.state_dict()) == before
    assert isinstance(fast.stem[2], PairPool)
    assert isinstance(fast.conv_tower[3][2], PairPool)


def test_reach_of_enformer_and_of_the_toy(tower):
    assert (tower.token_size, tower.reach) == (32, 7 + 2 * (2 + 4 + 8 + 16))
    full = Tower(toy_enformer(num_downsamples=7))
    assert (full.token_size, full.reach) == (128, 259)


@pytest.mark.parametrize("at", [1000, 1023, 1024, 1029, 1030, 1055])
def test_a_base_changes_the_tokens_within_reach_and_no_others(tower, bases, at):
    if bases.is_cuda:
        pytest.skip("a convolution by Fourier transform spreads its rounding errors over all tokens")
    changed = bases.clone()
    changed[:, at] = changed[:, at].roll(1, -1)
    differs = (tower(changed) - tower(bases)).abs().amax((0, 2)) > 0
    first, last = (at - tower.reach) // 32, -(-(at + 1 + tower.reach) // 32)
    assert differs.nonzero().flatten().tolist() == list(range(first, last))


def test_a_slice_has_other_tokens_within_reach_of_its_ends_and_no_others(tower, bases):
    edge = -(-tower.reach // 32)
    whole, part = tower(bases)[:, 10:40], tower(bases[:, 320:1280])
    differs = ((whole - part).abs().amax((0, 2)) > 1e-4).nonzero().flatten().tolist()
    assert differs == [*range(edge), *range(30 - edge, 30)]
