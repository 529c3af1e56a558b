import numpy as np
import pandas as pd
import pytest

from fineprior.engine.backbone import load_backbone
from fineprior.engine.region_embeddings import cache_regions, embed_regions, read_region_embeddings
from fineprior.engine.variant_embeddings import write_embeddings
from fineprior.files.errors import InputError
from fineprior.genome.fasta import Genome
from toy_enformer import CONTEXT, DIM, TARGET_BINS, save_toy

REGIONS = 7


@pytest.fixture(scope="module")
def study(tmp_path_factory, device):
    folder = tmp_path_factory.mktemp("cache")
    sequence = "".join(np.random.default_rng(1).choice(list("ACGT"), REGIONS * CONTEXT))
    (folder / "genome.fa").write_text(f">chr1\n{sequence}\n")
    starts = CONTEXT * np.arange(REGIONS)
    split = ["train"] * 5 + ["valid", "test"]
    regions = pd.DataFrame({"chrom": "chr1", "start": starts, "end": starts + CONTEXT, "split": split})
    with Genome(folder / "genome.fa") as genome:
        yield genome, regions, load_backbone(save_toy(folder / "toy"))


def test_the_file_is_the_one_that_is_written_at_once(study, tmp_path):
    write_embeddings(embed_regions(*study, 2), tmp_path / "at_once.npz")
    cache_regions(tmp_path / "cached.npz", *study, 2, 1, tmp_path / "parts")
    assert (tmp_path / "cached.npz").read_bytes() == (tmp_path / "at_once.npz").read_bytes()


def test_a_killed_run_goes_on_behind_its_last_batch(study, tmp_path, monkeypatch):
    backbone = study[2]
    cache_regions(tmp_path / "whole.npz", *study, 2, 1, tmp_path / "whole")
    embedded = []
    original = backbone.embed

    def embed(windows):
        if len(embedded) == 2:
            raise KeyboardInterrupt
        embedded.append(len(windows))
        return original(windows)

    monkeypatch.setattr(backbone, "embed", embed)
    with pytest.raises(KeyboardInterrupt):
        cache_regions(tmp_path / "again.npz", *study, 2, 1, tmp_path / "parts")
    assert not (tmp_path / "again.npz").exists()
    embedded[:] = [0]  # one more batch of 2 is not enough for what is left, so it must not begin anew
    with pytest.raises(KeyboardInterrupt):
        cache_regions(tmp_path / "again.npz", *study, 2, 1, tmp_path / "parts")
    embedded[:] = [0]
    cache_regions(tmp_path / "again.npz", *study, 2, 1, tmp_path / "parts")
    assert embedded == [0, 1]
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_the_embedding_stays_in_the_file_until_it_is_looked_at(study, tmp_path):
    cache_regions(tmp_path / "cached.npz", *study, 4, 1, tmp_path / "parts")
    found = read_region_embeddings(tmp_path / "cached.npz")
    assert isinstance(found.embedding.base, np.memmap)
    assert not found.embedding.flags.writeable
    assert found.embedding.shape == (REGIONS * TARGET_BINS, DIM)
    assert np.array_equal(found.embedding, embed_regions(*study, 4).embedding)


def test_regions_beyond_a_contig(study, tmp_path):
    genome, regions, backbone = study
    wrong = regions.assign(start=regions["start"] + CONTEXT, end=regions["end"] + CONTEXT)
    with pytest.raises(InputError, match="target bins of 1 regions reach beyond their contig"):
        cache_regions(tmp_path / "cached.npz", genome, wrong, backbone, 2, 1, tmp_path / "parts")


@pytest.mark.parametrize("harm", ["turned", "gone", "other"])
def test_a_part_that_is_not_as_it_was_is_computed_again(study, tmp_path, harm, caplog):
    cache_regions(tmp_path / "whole.npz", *study, 2, 1, tmp_path / "parts")
    part, other = (tmp_path / f"parts/part-00000{number}.npy" for number in (1, 2))
    content = bytearray(part.read_bytes())
    content[-300] ^= 4
    part.write_bytes(other.read_bytes() if harm == "other" else content)
    if harm == "gone":
        part.unlink()
    cache_regions(tmp_path / "again.npz", *study, 2, 1, tmp_path / "parts")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert ("part-000001.npy: damaged" in caplog.text) == (harm != "gone")


def test_parts_that_another_job_removes_meanwhile_are_computed_again(study, tmp_path, monkeypatch):
    cache_regions(tmp_path / "whole.npz", *study, 2, 1, tmp_path / "whole")
    original, calls = study[2].embed, []

    def embed(windows):
        calls.append(1)
        if len(calls) == 4:
            (tmp_path / "parts/part-000000.npy").unlink()
        return original(windows)

    monkeypatch.setattr(study[2], "embed", embed)
    cache_regions(tmp_path / "again.npz", *study, 2, 1, tmp_path / "parts")
    assert len(calls) == 5
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_damaged_embeddings_of_regions_are_one_line(study, tmp_path):
    path = tmp_path / "cached.npz"
    cache_regions(path, *study, 4, 1, tmp_path / "parts")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # within the embedding, which is not read when the file is opened
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"cached\.npz: damaged"):
        read_region_embeddings(path)
