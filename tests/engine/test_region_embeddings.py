"""Embeddings of training regions in memory; test_region_embeddings_cache.py has those in a file."""

import numpy as np
import pandas as pd
import pytest
import torch

from fineprior.engine import region_embeddings as embeddings
from fineprior.engine.backbone import load_backbone
from fineprior.files.errors import InputError
from fineprior.genome.fasta import Genome
from fineprior.sequence.windows import one_hot
from toy_embeddings import same_after_round_trip
from toy_enformer import BIN_SIZE, CONTEXT, TARGET_BINS, save_toy

LENGTH = 3000


@pytest.fixture(scope="module")
def backbone(tmp_path_factory, device):
    return load_backbone(save_toy(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    path.write_text(">chr1\n" + "".join(np.random.default_rng(4).choice(list("ACGT"), LENGTH)) + "\n")
    with Genome(path) as opened:
        yield opened


def regions(*rows):
    return pd.DataFrame(rows, columns=["chrom", "start", "end", "split"])


def test_bins_of_regions(genome, backbone, slack):
    table = regions(("1", 0, CONTEXT, "train"), ("1", 1000, 1000 + CONTEXT, "test"))
    found = embeddings.embed_regions(genome, table, backbone, batch_size=1)
    assert found.split.tolist() == ["train"] * TARGET_BINS + ["test"] * TARGET_BINS
    assert found.start[TARGET_BINS] == 1000 + 2 * BIN_SIZE
    codes = genome.codes("chr1", 1000, 1000 + CONTEXT)
    expected = backbone.embed(torch.from_numpy(one_hot(codes))[None])[0].numpy()
    assert np.allclose(found.embedding[TARGET_BINS:], expected, atol=1e-4 * slack)


def test_target_bins_beyond_a_contig(genome, backbone):
    inside = LENGTH - CONTEXT + 2 * BIN_SIZE
    embeddings.embed_regions(genome, regions(("chr1", inside, inside + CONTEXT, "train")), backbone, batch_size=1)
    with pytest.raises(InputError, match="target bins of 1 regions reach beyond their contig"):
        embeddings.embed_regions(
            genome, regions(("chr1", inside + 1, inside + 1 + CONTEXT, "train")), backbone, batch_size=1
        )


def test_round_trip_with_the_same_bytes(genome, backbone, tmp_path):
    made = embeddings.embed_regions(genome, regions(("chr1", 0, CONTEXT, "valid")), backbone, batch_size=8)
    same_after_round_trip(made, embeddings.read_region_embeddings, tmp_path)


def test_batches_cover_everything():
    parts = list(embeddings.batches(10, 3, "variants"))
    assert [(part.start, part.stop) for part in parts] == [(0, 3), (3, 6), (6, 9), (9, 10)]
