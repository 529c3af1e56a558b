import numpy as np
import pandas as pd
import pytest

from fineprior.genotypes.plink_panel import PlinkPanel
from fineprior.simulate.population import write_panel


def bim(count):
    return pd.DataFrame({"chrom": "1", "pos": np.arange(1, count + 1), "snp_id": [f"rs{i}" for i in range(count)],
                         "a1": "A", "a2": "c"})  # fmt: skip


def test_a_panel_is_written_as_the_format_says(tmp_path):
    write_panel(
        tmp_path / "p", bim(1).assign(snp_id="rs"), [np.array([[2], [-1], [1], [0], [1]], np.int8)], list("abcde")
    )
    assert (tmp_path / "p.bed").read_bytes() == bytes([0x6C, 0x1B, 0x01, 0b11_10_01_00, 0b00_00_00_10])
    assert (tmp_path / "p.bim").read_text() == "1\trs\t0\t1\tA\tc\n"
    assert (tmp_path / "p.fam").read_text() == "".join(f"{name}\t{name}\t0\t0\t0\t-9\n" for name in "abcde")


@pytest.fixture
def prefix(tmp_path):
    write_panel(tmp_path / "p", bim(3), [np.array([[0, 1, 2], [1, -1, 2], [2, 0, 2], [2, 0, -1], [1, 1, 2]], np.int8)])
    return tmp_path / "p"


def test_the_same_panel_is_the_same_bytes(prefix, tmp_path):
    first = {s: (tmp_path / f"p{s}").read_bytes() for s in (".bed", ".bim", ".fam")}
    panel = PlinkPanel(prefix)
    dosages = np.nan_to_num(panel.dosages([0, 1, 2]), nan=-1).astype(np.int8)
    write_panel(prefix, panel.variants.assign(a2="c"), [dosages])
    assert {s: (tmp_path / f"p{s}").read_bytes() for s in first} == first


@pytest.mark.parametrize(
    ("chunks", "message"),
    [([np.zeros((2, 1), np.int8), np.zeros((3, 2), np.int8)], "needs 2 rows"),
     ([np.full((2, 3), 3, np.int8)], "of -1, 0, 1, 2"), ([np.zeros((2, 2), np.int8)], "2 variants in the chunks, 3")],
)  # fmt: skip
def test_chunks_that_do_not_fit_leave_no_file(tmp_path, chunks, message):
    with pytest.raises(ValueError, match=message):
        write_panel(tmp_path / "new" / "p", bim(3), chunks)
    assert list((tmp_path / "new").iterdir()) == []
