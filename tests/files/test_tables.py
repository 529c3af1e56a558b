"""Tables are what their definition says, in memory and on disk."""

import pandas as pd
import pytest

from fineprior.files import tables
from fineprior.files.errors import InputError

FRAME = pd.DataFrame(
    {
        "locus": ["chr1_0_9", "chr1_0_9"],
        "variant_id": ["1:2:A:C", "1:3:G:T"],
        "score": [float("nan"), 0.123456789],
        "log_odds": [0.0, 1.5],
        "softmax": [0.2, 0.8],
        "weight": [0.9, 0.9],
        "prior": [0.25, 0.75],
    }
)


@pytest.mark.parametrize("name", ["prior.tsv", "prior.tsv.gz", "prior.parquet"])
def test_round_trip_and_same_bytes(tmp_path, name):
    first, second = tmp_path / name, tmp_path / "again" / name
    tables.PRIOR.write(FRAME, first)
    tables.PRIOR.write(FRAME, second)
    assert first.read_bytes() == second.read_bytes()
    assert [path.name for path in tmp_path.glob(".*")] == [".digests"]
    pd.testing.assert_frame_equal(tables.PRIOR.read(first), tables.PRIOR.checked(FRAME, "x"), rtol=1e-6)


def test_text_that_looks_like_numbers_stays_text(tmp_path):
    frame = FRAME.assign(locus=["01", "1e5"])
    tables.PRIOR.write(frame, tmp_path / "t.tsv")
    assert tables.PRIOR.read(tmp_path / "t.tsv")["locus"].tolist() == ["01", "1e5"]


def test_flags_are_written_as_r_reads_them(tmp_path):
    row = dict.fromkeys(tables.TRUTH.names, 1) | dict.fromkeys(("variant_id", "chrom", "ref", "alt"), "a")
    tables.TRUTH.write(pd.DataFrame([row | {"functional": True}]), tmp_path / "t.tsv")
    assert (tmp_path / "t.tsv").read_text().splitlines()[1].endswith("\tTRUE")
    assert tables.TRUTH.read(tmp_path / "t.tsv")["functional"].tolist() == [True]


def test_empty_table_round_trips(tmp_path):
    tables.CREDIBLE_SETS.write(tables.CREDIBLE_SETS.empty(), tmp_path / "t.tsv")
    assert len(tables.CREDIBLE_SETS.read(tmp_path / "t.tsv")) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="prior"), "column 'prior' is missing; prior needs locus"),
        (lambda f: f.assign(extra=1), "unknown column 'extra'"),
        (lambda f: f.assign(prior=["a", "b"]), "column 'prior' must hold values of kind number, not 'a'"),
    ],
)
def test_bad_frames(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        tables.PRIOR.write(change(FRAME), tmp_path / "t.tsv")
    assert list(tmp_path.iterdir()) == []


def test_bad_files(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        tables.PRIOR.read(tmp_path / "absent.tsv")
    (tmp_path / "cut.tsv.gz").write_bytes(b"\x1f\x8b\x08\x00rubbish")
    with pytest.raises(InputError, match="not a readable prior table"):
        tables.PRIOR.read(tmp_path / "cut.tsv.gz")
