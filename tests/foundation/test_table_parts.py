import pandas as pd
import pytest

from fineprior.foundation import tables
from fineprior.foundation.errors import InputError
from fineprior.foundation.table_parts import write_parts

ROW = dict.fromkeys(tables.TRUTH.names, 1) | dict.fromkeys(("variant_id", "chrom", "ref", "alt"), "a")
FRAME = pd.DataFrame([ROW | {"functional": True}, ROW | {"functional": False}, ROW | {"functional": True, "pos": 7}])


@pytest.mark.parametrize("name", ["t.tsv", "t.tsv.gz", "t.parquet"])
def test_pieces_are_one_table(tmp_path, name):
    write_parts(tables.TRUTH, (FRAME.iloc[row : row + 1] for row in range(3)), tmp_path / name)
    tables.TRUTH.write(FRAME, tmp_path / "whole" / name)
    pd.testing.assert_frame_equal(tables.TRUTH.read(tmp_path / name), tables.TRUTH.read(tmp_path / "whole" / name))
    if name == "t.tsv":
        assert (tmp_path / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("name", ["t.tsv", "t.tsv.gz", "t.parquet"])
def test_a_bad_piece_leaves_nothing(tmp_path, name):
    with pytest.raises(InputError, match="column 'effect' is missing"):
        write_parts(tables.TRUTH, [FRAME, FRAME.drop(columns="effect")], tmp_path / name)
    assert list(tmp_path.iterdir()) == []
