"""Text as programs and spreadsheets really write it: read right, or named for what it is."""

import gzip
import logging

import pandas as pd
import pysam
import pytest

from fineprior.files.errors import InputError
from fineprior.sumstats import text_tables
from fineprior.sumstats.reader import read_sumstats

HEADER = "chromosome,base_pair_location,effect_allele,other_allele,beta,standard_error,p_value,rsid,n"
LINES = [f"1,{i * 10},A,G,0.2,0.1,0.0455,rs{i},1000" for i in range(1, 31)]


def table(*lines, sign=",", header=HEADER, end="\n"):
    return end.join([header, *(lines or LINES), ""]).replace(",", sign).encode()


def read(path, content):
    path.write_bytes(content)
    return read_sumstats(path)


@pytest.fixture
def plain(tmp_path):
    return read(tmp_path / "plain", table())


@pytest.mark.slow
@pytest.mark.parametrize("block", [1 << 24, 64, 65, 66, 67])
@pytest.mark.parametrize("end", ["\r", "\r\n", "\r\r\n"])
@pytest.mark.parametrize("sign", [",", "\t", "  "])
def test_line_ends_of_any_kind(tmp_path, plain, monkeypatch, block, end, sign):
    monkeypatch.setattr(text_tables, "BLOCK_BYTES", block)
    content = table(sign=sign, end=end)
    assert read(tmp_path / "g", content).equals(plain)
    assert read(tmp_path / "g", content[: -len(end)]).equals(plain)  # the last line without one
    assert read(tmp_path / "g", b"\xef\xbb\xbf" + content).equals(plain)


def test_line_ends_that_change_within_a_file(tmp_path, plain):
    ends = ["\r", "\n", "\r\n"]
    content = "".join(line + ends[i % 3] for i, line in enumerate([HEADER, *LINES]))
    assert read(tmp_path / "g", content.encode()).equals(plain)


def test_lines_of_blanks_that_begin_with_blanks(tmp_path, plain):
    content = "\n".join("   " + line.replace(",", "   ") + "  " for line in [HEADER, *LINES])
    assert read(tmp_path / "g", content.encode()).equals(plain)


@pytest.mark.parametrize("sign", [",", "\t"])
def test_quotation_marks_only_where_they_are_needed(tmp_path, plain, sign):
    lines = [line.split(",") for line in LINES]
    lines[4][7], lines[9][7] = f'"rs5{sign}rs5b"', '"the ""one"""'
    content = "\n".join([sign.join(HEADER.split(",")), *(sign.join(line) for line in lines)])
    found = read(tmp_path / "g", content.encode())
    assert found["rsid"].iloc[[4, 9]].to_list() == [f"rs5{sign}rs5b", 'the "one"']
    assert found.drop(columns="rsid").equals(plain.drop(columns="rsid"))


def test_a_header_in_quotation_marks_that_holds_commas(tmp_path, plain):
    header = HEADER.replace("rsid", '"rsid"') + ',"note, mine"'
    content = "\n".join([header, *(f'{line},"a, b"' for line in LINES)])
    assert read(tmp_path / "g", content.encode()).equals(plain)


def test_a_quotation_mark_that_opens_in_one_line_and_closes_in_another_hides_no_row(tmp_path):
    """Between the two, lines would be one field, and the columns would even be as many as they should."""
    lines = [line.replace("rs5,", '"rs5,').replace("rs9,", 'rs9",') for line in LINES]
    with pytest.raises(InputError, match=r"g, line 6: a quotation mark that is not closed in its line"):
        read(tmp_path / "g", "\n".join([HEADER.replace("rsid", '"rsid"'), *lines]).encode())
    found = read(tmp_path / "g", table(*lines))  # nothing else is in quotation marks: a sign like others
    assert found["rsid"].iloc[[4, 8]].to_list() == ['"rs5', 'rs9"']
    assert len(found) == 30


@pytest.mark.parametrize("sign", [",", "\t"])
@pytest.mark.parametrize(
    "change",
    [
        lambda head, lines: (head + ",,", [line + ",," for line in lines]),
        lambda head, lines: (head + ",,", lines),
        lambda head, lines: (head + ",", [line + "," * (i % 2) for i, line in enumerate(lines)]),
        lambda head, lines: (head, [line + ",,," * (i % 2) for i, line in enumerate(lines)]),
        lambda head, lines: (head, [*lines, ",,,,,,,,", ",,,,,,,,"]),
        lambda head, lines: (head + ",,", [line + ",," for line in lines] + [",,,,,,,,,,", ",,"]),
        lambda head, lines: (head, [*lines[:3], "", ",,,,,,,,", *lines[3:]]),
    ],
)
def test_empty_columns_and_rows_of_a_spreadsheet_are_passed_over(tmp_path, plain, caplog, sign, change):
    header, lines = change(HEADER, LINES)
    with caplog.at_level(logging.INFO):
        found = read(tmp_path / "g", table(*lines, sign=sign, header=header))
    assert found.drop(columns="row").equals(plain.drop(columns="row"))
    assert ("empty lines are passed over" in caplog.text) == (len(lines) > len(LINES))


def test_lines_keep_their_numbers_beside_empty_ones(tmp_path):
    found = read(tmp_path / "g", table(*LINES[:3], "", ",,,,,,,,", *LINES[3:]))
    assert found["row"].to_list() == [2, 3, 4, *range(7, 34)]


def test_an_empty_field_is_a_missing_value_and_no_shift(tmp_path):
    lines = [line.replace(",rs5,", ",,") for line in LINES]
    for sign in (",", "\t"):
        found = read(tmp_path / "g", table(*lines, sign=sign))
        assert found["rsid"].isna().sum() == 1
        assert (found["n"] == 1000).all()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([*LINES, LINES[0] + ",more"], r"line 32: 10 columns, but the header has 9"),
        ([*LINES[:5], "1,2,A", *LINES], r"line 7: 3 columns, but the header has 9; is the file cut off there"),
        ([*LINES[:5], "# a comment", *LINES], r"line 7: 1 columns, .*is it cut off"),
        (
            [*LINES[:5], "# a, comment", *LINES],
            r"line 7: 2 columns, .* is it a comment\? These stand before the header",
        ),
    ],
)
def test_lines_with_another_number_of_columns_are_named(tmp_path, lines, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path / "g", table(*lines))


def test_the_first_line_of_a_spreadsheet_that_names_the_delimiter(tmp_path, plain):
    found = read(tmp_path / "g", b"sep=,\n" + table())
    assert found.drop(columns="row").equals(plain.drop(columns="row"))
    assert found["row"].iloc[0] == 3


def test_utf_16_is_named_within_a_compressed_file_too(tmp_path):
    for content in (table().decode().encode("utf-16"), gzip.compress(table().decode().encode("utf-16"))):
        with pytest.raises(InputError, match="text in UTF-16: save it as UTF-8"):
            read(tmp_path / "g", content)


def test_comments_before_the_header_of_a_file_with_carriage_returns(tmp_path, plain):
    found = read(tmp_path / "g", b"## mine\r# of 2021\r" + table(end="\r"))
    pd.testing.assert_frame_equal(found.drop(columns="row"), plain.drop(columns="row"))
    assert found["row"].iloc[0] == 4


def test_a_file_of_bgzip_that_ends_between_two_blocks_is_cut_off(tmp_path):
    (tmp_path / "g").write_bytes(table(*LINES * 200))
    pysam.tabix_compress(str(tmp_path / "g"), str(tmp_path / "g.gz"))
    whole = (tmp_path / "g.gz").read_bytes()
    assert len(read_sumstats(tmp_path / "g.gz")) == 200 * len(LINES)
    (tmp_path / "g.gz").write_bytes(whole[: int.from_bytes(whole[16:18], "little") + 1])
    with pytest.raises(InputError, match=r"g\.gz: cut off"):
        read_sumstats(tmp_path / "g.gz")
