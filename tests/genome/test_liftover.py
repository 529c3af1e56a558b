import gzip
from pathlib import Path

import numpy as np
import pytest

from fineprior.files.errors import InputError
from fineprior.genome.liftover import Liftover

REAL = Path(__file__).parents[2].parent / "shared/data/genome/grch37_to_grch38.over.chain"
needs_chain = pytest.mark.skipif(not REAL.is_file(), reason="acceptance data are not here")

CHAINS = """# a comment
chain 900 chr1 100 + 10 60 chr1 200 + 110 162 1
20 5 7
25

chain 500 chr1 100 + 70 90 chr2 80 - 10 30 2
20

chain 100 chr1 100 + 80 100 chr3 50 + 0 20 3
20
"""


@pytest.fixture
def chain(tmp_path):
    path = tmp_path / "a.chain"
    path.write_text(CHAINS)
    return path


def test_blocks_gaps_strands_and_several_places(chain):
    liftover = Liftover(chain)
    pos = np.array([10, 11, 30, 31, 36, 60, 61, 71, 80, 81, 90, 91, 100, 101], np.int32)
    found = liftover.places("1", pos)
    assert found.places.tolist() == [0, 1, 1, 0, 1, 1, 0, 1, 1, 2, 2, 1, 1, 0]
    names = [liftover.contigs[number] if number >= 0 else "" for number in found.contig]
    assert names == ["", "chr1", "chr1", "", "chr1", "chr1", "", *["chr2"] * 4, "chr3", "chr3", ""]
    assert found.pos.tolist() == [0, 111, 130, 0, 138, 162, 0, 70, 61, 60, 51, 11, 20, 0]
    assert found.reverse.tolist() == [name == "chr2" for name in names]
    assert liftover.places("chr1", pos).pos.tolist() == found.pos.tolist()
    assert not liftover.places("7", pos).places.any()


def test_the_very_name_goes_before_the_plain_one(tmp_path):
    chains = "chain 9 {0} 100 + 0 50 chr1 200 + {1} {2} 1\n50\n\n"
    (tmp_path / "a.chain").write_text(chains.format("chrX", 100, 150) + chains.format("X", 20, 70))
    liftover = Liftover(tmp_path / "a.chain")
    pos = np.array([1], np.int32)
    assert [liftover.places(name, pos).pos.tolist() for name in ("chrX", "X")] == [[101], [21]]
    assert liftover.places("chrX", pos).places.tolist() == [1]
    with pytest.raises(InputError, match=r"a.chain: '23' may mean 'chrX' or 'X'"):
        liftover.places("23", pos)


def test_gzip_is_read_as_plain(chain, tmp_path):
    packed = tmp_path / "a.chain.gz"
    packed.write_bytes(gzip.compress(chain.read_bytes()))
    pos = np.arange(1, 101, dtype=np.int32)
    assert (Liftover(packed).places("1", pos).pos == Liftover(chain).places("1", pos).pos).all()
    packed.write_bytes(packed.read_bytes()[:-12])
    with pytest.raises(InputError, match=r"not a chain file, or damaged \(Compressed file ended"):
        Liftover(packed)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no chain in this file"),
        ("chr1\t1\t2\n", "line 1: a chain begins with 'chain', not 'chr1'"),
        ("chain 9 chr1 100 + 10\n", "line 1: not the header of a chain"),
        ("chain 9 chr1 100 - 10 20 chr1 200 + 10 20 1\n10\n", "line 1: not the header of a chain"),
        ("chain 9 chr1 100 + 10 20 chr1 200 + 10 20 1\nten\n", "line 2: 'ten' is not a block"),
        ("chain 9 chr1 100 + 10 20 chr1 200 + 10 20 1\n5 1\n4\n", "line 2: '5 1' is not a block"),
        ("chain 9 chr1 100 + 10 20 chr1 200 + 10 20 1\n5 1 1\n", "line 1: the blocks of this chain do not add up"),
    ],
)
def test_a_file_that_is_no_chain_file_is_named(tmp_path, text, message):
    path = tmp_path / "bad.chain"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        Liftover(path)
    with pytest.raises(InputError, match="no such file"):
        Liftover(tmp_path / "absent.chain")


@pytest.fixture(scope="module")
def real():
    return Liftover(REAL)


@pytest.fixture(scope="module")
def pyliftover():
    return pytest.importorskip("pyliftover").LiftOver(str(REAL))


@pytest.mark.slow
@needs_chain
def test_the_offset_that_is_known_of_chromosome_17(real):
    pos = np.arange(400_001, 1_000_001, dtype=np.int32)
    found = real.places("chr17", pos)
    assert (found.pos - pos == 96_760).all()
    assert (found.places == 1).all()
    assert not found.reverse.any()


@pytest.mark.slow
@needs_chain
@pytest.mark.parametrize("chrom", ["1", "17", "X", "GL000202.1"])
def test_places_are_those_of_pyliftover(chrom, real, pyliftover):
    pos = np.random.default_rng(3).integers(1, 150_000_000, 2000).astype(np.int32)
    found = real.places(chrom, pos)
    for row, position in enumerate(pos):
        hits = pyliftover.convert_coordinate(chrom, int(position) - 1) or []
        assert len(hits) == found.places[row]
        if hits:
            name, start, strand, _ = hits[0]
            mine = real.contigs[found.contig[row]], found.pos[row] - 1, "-" if found.reverse[row] else "+"
            assert mine == (name, start, strand)
