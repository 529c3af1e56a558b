"""The transformer against the library's modules; the toy's attention is not degenerate."""

import copy

import pytest
import torch
from enformer_pytorch.modeling_enformer import Attention

from fineprior.engine import enformer as module
from fineprior.engine.enformer import Transformer, join_heads, position_keys, relative_logits, split_heads
from toy_enformer import toy_enformer

TOKENS, WIDTH = 100, 24


@pytest.fixture(scope="module")
def enformer(device):
    return toy_enformer().requires_grad_(False).to(device)


@pytest.fixture(scope="module")
def tokens(device):
    return torch.randn(3, TOKENS, WIDTH, generator=torch.Generator().manual_seed(7)).to(device)


def library(enformer, tokens):
    return enformer.final_pointwise(enformer.transformer(tokens))


def test_the_librarys_result_to_the_last_bit(enformer, tokens, slack):
    """On a GPU but for float noise: its products of other shapes go through other kernels."""
    found, expected = Transformer(enformer, TOKENS)(tokens, slice(0, TOKENS)), library(enformer, tokens)
    assert (
        torch.equal(found, expected)
        if found.device.type == "cpu"
        else torch.allclose(found, expected, atol=1e-5 * slack * float(expected.std()))
    )


@pytest.mark.parametrize("queries_at_once", [1, 7, 50, 99, 101])
def test_blocks_of_any_size(enformer, tokens, queries_at_once, slack):
    expected = library(enformer, tokens)
    found = Transformer(enformer, TOKENS, queries_at_once)(tokens, slice(0, TOKENS))
    assert (found - expected).abs().max() < 1e-5 * slack * expected.std()


@pytest.mark.parametrize("bins", [slice(0, 1), slice(40, 44), slice(97, 100), slice(10, 90)])
def test_only_the_bins_that_are_read(enformer, tokens, bins, monkeypatch, slack):
    expected = library(enformer, tokens)[:, bins]
    for few in (False, True):
        monkeypatch.setattr(module, "_are_few", lambda *_, few=few: few)
        found = Transformer(enformer, TOKENS)(tokens, bins)
        assert (found - expected).abs().max() < 1e-5 * slack * expected.std()


def like(tokens, places, scale=1.0):
    window = tokens[0].clone()
    change = torch.randn(len(places), WIDTH, generator=torch.Generator().manual_seed(11))
    window[places] += scale * change.to(window.device)
    return window[None]


@pytest.mark.parametrize(
    ("places", "scale"),
    [([], 1), ([40], 1), ([0, 1, 2], 1), ([97, 98, 99], 1), ([5, 50, 60], 1), ([30, 31, 32, 33], 100), ([7, 8], 1e-3),
     (list(range(20, 80)), 1)],
)  # fmt: skip
@pytest.mark.parametrize("least_rest", [0.5, 0.97])
def test_first_block_of_a_window_that_is_like_another(enformer, tokens, places, scale, least_rest, monkeypatch, slack):
    """With a high threshold many queries are done anew; with many tokens changed, all of them."""
    monkeypatch.setattr(module, "_LEAST_REST", least_rest)
    transformer = Transformer(enformer, TOKENS, 30)
    window = like(tokens, places, scale)
    for bins in (slice(0, TOKENS), slice(48, 52)):
        expected = library(enformer, window)[:, bins]
        found = transformer(window, bins, tokens[0])
        assert (found - expected).abs().max() < 1e-5 * slack * expected.std()


def test_another_window_to_be_like_is_noticed(enformer, tokens, slack):
    transformer = Transformer(enformer, TOKENS)
    for number in (0, 1, 0):
        expected = library(enformer, tokens)[number]
        found = transformer(tokens[number : number + 1], slice(0, TOKENS), tokens[number])
        assert (found - expected).abs().max() < 1e-5 * slack * expected.std()


def test_attention_that_goes_over_to_other_tokens_does_not_cancel(tokens, slack):
    """Where nearly all attention was on tokens that change, and where a logit grows beyond what exp can hold."""
    enformer = toy_enformer().requires_grad_(False).to(tokens.device)
    for block in enformer.transformer:
        block[0].fn[1].to_q.weight *= 30
    transformer = Transformer(enformer, TOKENS)
    for places in ([20, 21, 22], [60], [98, 99]):
        window = like(tokens, places, 3)
        exact = library(copy.deepcopy(enformer).double(), window.double())
        plain, found = library(enformer, window), transformer(window, slice(0, TOKENS), tokens[0])
        assert torch.isfinite(found).all()
        assert (found - exact).abs().max() < 3 * (plain - exact).abs().max() + 1e-5 * slack


def test_few_queries_are_those_that_save_products():
    attention = Attention(1536, num_rel_pos_features=192, heads=8, dim_key=64, dim_value=192)
    assert module._are_few(4, 1536, attention)
    assert module._are_few(100, 1536, attention)
    assert not module._are_few(896, 1536, attention)
    assert not module._are_few(16, 16, attention)


def test_without_blocks_there_is_the_pointwise_layer(tokens, slack):
    enformer = toy_enformer(depth=0).requires_grad_(False).to(tokens.device)
    expected = enformer.final_pointwise(tokens)[:, 3:9]
    assert torch.allclose(Transformer(enformer, TOKENS)(tokens, slice(3, 9)), expected, atol=1e-6 * slack)


def test_relative_logits_are_products_with_the_keys_of_distances(enformer, slack):
    keys = position_keys(enformer.transformer[0][0].fn[1], TOKENS)
    assert keys.shape == (2, 2 * TOKENS - 1, 8)
    queries = torch.randn(1, 2, 5, 8, generator=torch.Generator().manual_seed(1)).to(keys.device)
    found = relative_logits(queries, keys, 30)
    for row in range(5):
        for token in (0, 29, 32, 99):
            distance = token - (30 + row)
            expected = (queries[0, :, row] * keys[:, distance + TOKENS - 1]).sum(-1)
            assert torch.allclose(found[0, :, row, token], expected, atol=1e-5 * slack)


def test_tensorflow_gammas_make_other_keys():
    enformer = toy_enformer(dim=192, heads=1, depth=1).requires_grad_(False)
    attention = enformer.transformer[0][0].fn[1]
    plain = position_keys(attention, 1536)
    attention.use_tf_gamma = True
    assert (position_keys(attention, 1536) - plain).abs().max() > 1e-3


def test_heads_come_apart_and_together():
    x = torch.arange(24.0).view(1, 3, 8)
    assert split_heads(x, 2).shape == (1, 2, 3, 4)
    assert split_heads(x, 2)[0, 1, 2].tolist() == [20, 21, 22, 23]
    assert torch.equal(join_heads(split_heads(x, 2)), x)
