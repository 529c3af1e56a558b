import gzip

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from fineprior.files.errors import InputError
from fineprior.sumstats import reader as sumstats
from fineprior.sumstats import text_tables
from fineprior.sumstats.metadata import Metadata, SampleSizes, read_metadata
from fineprior.sumstats.reader import STANDARD, open_sumstats, read_sumstats
from fineprior.sumstats.values import neg_log10_p_of, z_of

HEADER = ["chromosome", "base_pair_location", "effect_allele", "other_allele", "beta", "standard_error",
          "effect_allele_frequency", "p_value", "rsid", "n"]  # fmt: skip
ROW = dict(zip(HEADER, ["17", "100", "A", "G", "0.1", "0.05", "0.3", "0.0455", "rs1", "1000"], strict=True))


def write(path, rows, header=None, meta=None, newline="\n"):
    """Rows as dicts on top of ROW."""
    header = header or HEADER
    lines = ["\t".join(header)] + ["\t".join((ROW | row).get(name, "#NA") for name in header) for row in rows]
    text = newline.join([*lines, ""])
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    if meta is not None:
        path.with_name(path.name + "-meta.yaml").write_text(meta)
    return path


def lines(*rows):
    return "".join("\t".join(row) + "\n" for row in rows).encode()


def test_plain_and_gzip_any_order_any_case_any_line_end(tmp_path):
    first = read_sumstats(write(tmp_path / "a.tsv", [{}, {"rsid": "#NA"}]))
    assert first.columns.to_list() == list(STANDARD)
    assert first.iloc[0].to_dict() == {
        "row": 2, "chrom": "17", "source_pos": "100", "pos": 100, "effect_allele": "A", "other_allele": "G",
        "beta": 0.1, "se": 0.05, "z": 2.0, "neg_log10_p": pytest.approx(1.342, abs=1e-3), "eaf": 0.3, "n": 1000,
        "info": pytest.approx(np.nan, nan_ok=True), "rsid": "rs1",
    }  # fmt: skip
    other = write(tmp_path / "b.tsv.gz", [{}, {"rsid": "NA"}], header=[*reversed(HEADER), "my_column", "my_column"])
    assert read_sumstats(other).equals(first)
    assert read_sumstats(write(tmp_path / "c.tsv", [{}, {"rsid": ""}], newline="\r\n")).equals(first)
    shouting = (tmp_path / "a.tsv").read_text().replace("chromosome", "\ufeffChromosome").replace("beta", "BETA")
    (tmp_path / "d.tsv").write_text(shouting)
    assert read_sumstats(tmp_path / "d.tsv").equals(first)


@pytest.mark.slow
def test_chunks_do_not_show(tmp_path, monkeypatch):
    rows = [{"base_pair_location": str(i), "chromosome": "X" if i > 5 else "1"} for i in range(1, 51)]
    path = write(tmp_path / "a.tsv.gz", rows)
    whole = read_sumstats(path)
    assert whole["row"].to_list() == list(range(2, 52))
    assert whole["pos"].to_list() == list(range(1, 51))
    monkeypatch.setattr(sumstats, "ROWS_AT_ONCE", 3)
    assert read_sumstats(path).equals(whole)
    monkeypatch.setattr(text_tables, "BLOCK_BYTES", 300)
    chunks = list(open_sumstats(path).chunks())
    assert len(chunks) > 50 / 3
    assert max(map(len, chunks)) <= 3
    assert pd.concat(chunks).equals(whole)
    blanks = tmp_path / "blanks.txt"
    text = gzip.decompress(path.read_bytes()).decode()
    blanks.write_text("".join(f"   {line}   \r\n" for line in text.replace("\t", "  ").splitlines()))
    assert read_sumstats(blanks).equals(whole)


@pytest.mark.parametrize("missing", ["#NA", "NA", "", "nan", "not a number"])
def test_missing_values_and_text_become_nan_and_keep_their_line(tmp_path, missing):
    rows = [{}, {"beta": missing, "p_value": missing}, {"base_pair_location": missing}]
    frame = read_sumstats(write(tmp_path / "a.tsv", rows))
    assert frame["beta"].isna().to_list() == [False, True, False]
    assert frame["z"].isna().to_list() == [False, True, False]
    assert frame["pos"].isna().to_list() == [False, False, True]
    assert frame["row"].to_list() == [2, 3, 4]


def test_a_blank_line_keeps_the_count_of_lines(tmp_path):
    path = write(tmp_path / "a.tsv", [{}, {"rsid": "rs2"}])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], "", lines[2], ""]))
    frame = read_sumstats(path)
    assert frame.loc[frame["rsid"] == "rs2", "row"].to_list() == [4]


@pytest.mark.parametrize("ratio", ["odds_ratio", "hazard_ratio"])
def test_ratios_become_logarithms(tmp_path, ratio):
    header = [ratio if name == "beta" else name for name in HEADER]
    frame = read_sumstats(write(tmp_path / "a.tsv", [{ratio: "1.2"}, {ratio: "0.5"}, {ratio: "0"}], header))
    assert frame["beta"].to_list() == [np.log(1.2), np.log(0.5), -np.inf]
    assert frame["z"].iloc[0] == np.log(1.2) / 0.05


def test_beta_goes_before_a_ratio_row_by_row(tmp_path):
    rows = [{"odds_ratio": "2"}, {"beta": "#NA", "odds_ratio": "2"}]
    frame = read_sumstats(write(tmp_path / "a.tsv", rows, [*HEADER, "odds_ratio"]))
    assert frame["beta"].to_list() == [0.1, np.log(2)]


def test_z_score_alone_is_enough(tmp_path):
    header = ["z_score" if name == "beta" else name for name in HEADER if name not in ("standard_error", "p_value")]
    frame = read_sumstats(write(tmp_path / "a.tsv", [{"z_score": "-1.959964"}], header))
    assert frame["z"].to_list() == [-1.959964]
    assert frame["neg_log10_p"].iloc[0] == pytest.approx(-np.log10(0.05), abs=1e-6)
    assert frame[["beta", "se"]].isna().all(axis=None)


def test_without_standard_error_z_comes_from_p_and_the_sign_of_beta(tmp_path):
    header = [name for name in HEADER if name != "standard_error"]
    rows = [{"beta": "-0.2", "p_value": "0.05"}, {"beta": "0", "p_value": "1"}, {"beta": "0.3", "p_value": "0"}]
    frame = read_sumstats(write(tmp_path / "a.tsv", rows, header))
    assert frame["z"].iloc[0] == pytest.approx(norm.ppf(0.025))
    assert frame["se"].iloc[0] == pytest.approx(-0.2 / norm.ppf(0.025))
    assert frame["z"].iloc[1] == 0
    assert np.isnan(frame["z"].iloc[2])  # p underflowed and there is nothing to take it from
    assert frame["neg_log10_p"].iloc[2] == np.inf, "so that the lost hit is told"


@pytest.mark.parametrize("p", ["0", "0.0", "0e-9", "0.00E+00"])
def test_p_of_0_comes_from_z(tmp_path, p):
    frame = read_sumstats(write(tmp_path / "a.tsv", [{"beta": "4", "standard_error": "0.1", "p_value": p}]))
    assert frame["neg_log10_p"].iloc[0] == pytest.approx(-(norm.logsf(40) + np.log(2)) / np.log(10), rel=1e-12)


@pytest.mark.parametrize(
    ("p", "expected"), [("1e-400", 400), ("2.5E-1000", 1000 - np.log10(2.5)), ("1e-310", 310), (" 5.e-0330", 329.30103)]
)
def test_p_smaller_than_a_float_can_be_is_read_from_its_text(tmp_path, p, expected):
    rows = [{"beta": "-4", "standard_error": se, "p_value": p} for se in ("0.1", "#NA")]
    frame = read_sumstats(write(tmp_path / "a.tsv", rows))
    assert frame["neg_log10_p"].to_numpy() == pytest.approx([expected] * 2, rel=1e-8)
    assert frame["z"].to_list() == [-40, pytest.approx(-z_of(np.array([expected]))[0])]


def test_neg_log_10_p_value(tmp_path):
    header = ["neg_log_10_p_value" if name == "p_value" else name for name in HEADER if name != "standard_error"]
    frame = read_sumstats(write(tmp_path / "a.tsv", [{"neg_log_10_p_value": "400", "beta": "-1"}], header))
    assert frame["neg_log10_p"].to_list() == [400]
    assert neg_log10_p_of(frame["z"].to_numpy())[0] == pytest.approx(400)
    assert frame["z"].iloc[0] < -42


def test_p_values_out_of_range_stay_out_of_range(tmp_path):
    frame = read_sumstats(write(tmp_path / "a.tsv", [{"p_value": "-0.1"}, {"p_value": "1.5"}, {"p_value": "1"}]))
    assert (frame["neg_log10_p"] < 0).to_list() == [True, True, False]
    assert not np.signbit(frame["neg_log10_p"].iloc[2])


def test_z_and_p_are_each_others_inverse():
    z = np.array([0, 0.01, 1.96, 6, 37, 39, 500])
    assert np.allclose(z_of(neg_log10_p_of(z)), z, rtol=1e-9, atol=1e-9)
    assert np.allclose(neg_log10_p_of(-z), neg_log10_p_of(z))
    assert neg_log10_p_of(np.array([5.0]))[0] == pytest.approx(-np.log10(2 * norm.sf(5)))
    assert np.isnan(z_of(np.array([-0.1, np.nan]))).all()


def test_sample_size_by_row_then_from_the_meta_file(tmp_path):
    rows = [{}, {"n": "#NA"}]
    assert read_sumstats(write(tmp_path / "a.tsv", rows)).n.isna().to_list() == [False, True]
    assert read_sumstats(write(tmp_path / "b.tsv", rows, meta="sample_size: 77")).n.to_list() == [1000, 77]
    # 10 cases and 30 controls tell as much as 15 and 15
    cases = "sample_size: 40\ncase_control_study: true\ncase_count: 10\ncontrol_count: 30\n"
    assert read_sumstats(write(tmp_path / "c.tsv", rows, HEADER[:-1], cases)).n.to_list() == [30, 30]
    assert read_sumstats(write(tmp_path / "d.tsv", rows, meta=cases)).n.to_list() == [1000, 30]


def test_sizes_that_are_given_go_first_then_cases_and_controls_of_a_row(tmp_path):
    header = [*HEADER, "n_cases", "n_controls"]
    rows = [{"n_cases": "10", "n_controls": "30"}, {"n_cases": "10"}, {"n": "#NA"}]
    path = write(tmp_path / "a.tsv", rows, header, "sample_size: 77")
    assert read_sumstats(path).n.to_list() == [30, 1000, 77]
    assert read_sumstats(path, sizes=SampleSizes(n=5)).n.to_list() == [5, 5, 5]
    assert read_sumstats(path, sizes=SampleSizes(cases=100, controls=100)).n.to_list() == [200] * 3
    assert read_sumstats(path, sizes=SampleSizes(n=7, cases=100, controls=100)).n.to_list() == [7] * 3
    bare = write(tmp_path / "b.tsv", rows, HEADER[:-1])
    assert read_sumstats(bare, sizes=SampleSizes(n=5)).n.to_list() == [5, 5, 5]
    with pytest.raises(InputError, match="n is -1; allowed: a number above 0"):
        open_sumstats(path, sizes=SampleSizes(n=-1))
    with pytest.raises(InputError, match="cases and controls must be given together"):
        open_sumstats(path, sizes=SampleSizes(cases=3))


def test_zero_based_positions_are_counted_from_1(tmp_path):
    frame = read_sumstats(write(tmp_path / "a.tsv", [{}], meta="coordinate_system: 0-based"))
    assert (frame["pos"].iloc[0], frame["source_pos"].iloc[0]) == (101, "100")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("genome_assembly: GRCh37\ncoordinate_system: 1-based\nsample_size: 5", Metadata("GRCh37", False, 5.0)),
        ("samples:\n  - sample_size: 5\n  - case_count: 4\n    control_count: 12\n", Metadata(None, False, 17.0)),
        ("case_control_study: false\nsample_size: 9\ncase_count: 3\ncontrol_count: 4", Metadata(None, False, 9.0)),
        ("samples:\n  - sample_size: 5\n  - ancestry: x\n", Metadata()),
        ("sample_size: '#NA'\ncase_count: 2\n", Metadata()),
    ],
)
def test_metadata(tmp_path, text, expected):
    (tmp_path / "g.tsv-meta.yaml").write_text(text)
    assert read_metadata(tmp_path / "g.tsv") == expected
    assert read_metadata(tmp_path / "absent.tsv") == Metadata()


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ("sample_size: many", "sample_size is 'many'; allowed: a number above 0"),
        ("sample_size: -3", "sample_size is -3"),
        ("sample_size: true", "sample_size is True"),
        ("case_count: 0\ncontrol_count: 5", "case_count is 0"),
        ("coordinate_system: 2-based", "'2-based' is not known; allowed: 0-based, 1-based"),
        ("- a\n- b", "not a list"),
        ("just text", "not text"),
        ("", "not nothing"),
        ("a: [", "not YAML"),
        ("!!python/object/apply:os.getcwd []", r"a tag \(!!python/object/apply:os.getcwd\)"),
    ],
)
def test_bad_metadata_is_named(tmp_path, meta, message):
    path = write(tmp_path / "g.tsv", [{}], meta=meta)
    with pytest.raises(InputError, match=message) as caught:
        read_sumstats(path)
    assert "g.tsv-meta.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def without(*names):
    return [name for name in HEADER if name not in names]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (without("chromosome"), "column 'chromosome' is missing"),
        (without("base_pair_location"), "column 'base_pair_location' is missing"),
        (without("effect_allele"), "column 'effect_allele' is missing"),
        (without("other_allele"), "column 'other_allele' is missing"),
        (without("beta"), r"no effect column \(gwas-ssf: beta, odds_ratio, hazard_ratio, z_score\)"),
        (without("standard_error", "p_value"), "neither a standard error .* nor a p-value .* beside beta"),
        (without("n"), "no sample size; give n .* in the studies sheet, a column n, or sample_size in g.tsv-meta.yaml"),
        ([*HEADER, "beta"], "column 'beta' is there 2 times"),
        ([*HEADER, "Beta"], "column 'beta' is there 2 times"),
    ],
)
def test_bad_headers_are_named(tmp_path, header, message):
    with pytest.raises(InputError, match=message):
        read_sumstats(write(tmp_path / "g.tsv", [{}], header))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"\n1\t2\n", "first line"),
        (b"## a comment\n", "the file is empty, or its first line is"),
        (lines(HEADER), "no rows after the header"),
        (b";".join(name.encode() for name in HEADER), "separated by tabs, commas or spaces .';' in the header"),
        (b"gwas of 2021\n", "columns gwas, of, 2021|no column holds alleles"),
        (lines(HEADER, [*ROW.values(), "5"]), "line 2: 11 columns, but the header has 10; a column of row names"),
        (lines(HEADER, ROW.values(), [*ROW.values(), "5"]), "line 3: 11 columns, but the header has 10"),
        (lines(HEADER, ROW.values(), ROW.values(), list(ROW.values())[:4]), "line 4: 4 columns, but .* 10"),
        (lines(HEADER, ROW.values(), ["1", "2"], ROW.values(), ["1"]).replace(b"\n", b"\r\n"), "line 3: 2 columns"),
        (lines(HEADER, ROW.values(), ["1", "2"]).replace(b"2\n", b"\xe9\n"), "line 3: "),
        (lines(HEADER, ROW.values(), "", ROW.values(), [" ".join(ROW.values())]), "line 5: 1 columns.*another sign"),
        (lines(ROW.values(), ROW.values()), r"first line holds numbers \(17, 100, A, G,.* it is no header"),
        (lines(HEADER, ROW.values(), HEADER, ROW.values()), "line 3: the header again.*Keep the first header only"),
        (lines(HEADER, ROW.values()).decode().encode("utf-16"), "UTF-16: save it as UTF-8"),
        (lines(HEADER, ROW.values()).decode().encode("utf-16-le"), "not a text file in UTF-8"),
        (lines(HEADER, ROW.values()) + lines(["17", "5", "A", "\xe9", *"123456"]).decode().encode("latin-1"),
         "line 3: not text in UTF-8"),
        (b"PK\x03\x04rubbish", "a zip archive or an Excel file: unpack it"),
        (b"BZh9rubbish", "compressed by bzip2"),
        (b"PAR1rubbish", "g.tsv: .*[Pp]arquet"),
        (bytes(range(256)) * 40, "not a text file"),
        (b"x" * (1 << 20), "line 1: megabytes long"),
        (lines(HEADER, ROW.values(), ["x" * 3_000_000, *list(ROW.values())[1:]], ROW.values()), "line 3: megabytes"),
        (gzip.compress(lines(HEADER, ROW.values()))[:-4] + b"1234", "Incorrect length.*is the file whole"),
        (b"\x28\xb5\x2f\xfdrubbish", "or damaged .*is the file whole"),
        (b"\x1f\x8b\x08rubbish", "or damaged .*is the file whole"),
        (gzip.compress(("\t".join(HEADER) + "\n" + "\t".join(ROW.values()) * 99).encode())[:-20], "ended before"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read_are_named(tmp_path, content, message):
    path = tmp_path / "g.tsv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_sumstats(path)
    assert "g.tsv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_not_utf8_in_the_middle_of_a_large_file_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(text_tables, "_HEADER_BYTES", 1000)
    path = write(tmp_path / "g.tsv", [{}] * 100)
    path.write_bytes(path.read_bytes() + lines(list(ROW.values())).replace(b"rs1", b"rs\xe9"))
    with pytest.raises(InputError, match=r"g\.tsv, line 102: not text in UTF-8"):
        read_sumstats(path)


def test_a_line_without_an_end_is_an_error_not_a_full_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(text_tables, "BLOCK_BYTES", 1 << 12)
    path = write(tmp_path / "g.tsv.gz", [{}] * 100 + [{"rsid": "x" * (1 << 14)}])
    with pytest.raises(InputError, match=r"g\.tsv\.gz, line 102: megabytes long; .* one variant a line\?"):
        read_sumstats(path)


def test_reading_can_stop_before_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(text_tables, "BLOCK_BYTES", 1 << 10)
    chunks = open_sumstats(write(tmp_path / "g.tsv.gz", [{}] * 1000)).chunks()
    assert len(next(chunks)) < 100
    chunks.close()


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(InputError, match="a folder, not a file"):
        open_sumstats(tmp_path)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("standard_error", "-0.05", r"standard error is not above 0 in 25 of 50 rows, first in line 3 \(-0.05\)"),
        ("standard_error", "0", "standard error is not above 0"),
        ("p_value", "1.2", r"p-value is not within 0 to 1 in 25 of 50 rows, first in line 3 \(1.2\)"),
        ("p_value", "-1", r"p-value is not within 0 to 1 .*\(below 0\)"),
        ("effect_allele_frequency", "30", r"frequency of the effect allele is not within 0 to 1 .*\(30\)"),
    ],
)
def test_numbers_out_of_range_in_many_rows_are_another_column(tmp_path, column, value, message):
    with pytest.raises(InputError, match=message):
        read_sumstats(write(tmp_path / "g.tsv", [{}, {column: value}] * 25))
    few = read_sumstats(write(tmp_path / "h.tsv", [{}] * 25 + [{column: value}]))  # for harmonise to exclude
    assert len(few) == 26


def test_a_sample_size_that_no_row_has(tmp_path):
    with pytest.raises(InputError, match="no sample size"):
        read_sumstats(write(tmp_path / "g.tsv", [{"n": "#NA"}] * 3))


def test_a_negative_ratio_is_a_beta(tmp_path):
    header = ["odds_ratio" if name == "beta" else name for name in HEADER]
    path = write(tmp_path / "g.tsv", [{"odds_ratio": "1.1"}, {"odds_ratio": "-0.02"}], header)
    with pytest.raises(InputError, match=r"line 3: odds_ratio is -0\.02; a ratio is never below 0: is it a beta"):
        read_sumstats(path)


def test_odds_ratios_named_beta_are_noticed(tmp_path):
    rows = [{"beta": str(1 + 0.01 * (i % 7 - 3))} for i in range(30)]
    with pytest.raises(InputError, match="are they odds ratios"):
        read_sumstats(write(tmp_path / "g.tsv", rows))
    rows = [{"beta": f"{0.02 + 0.001 * i:.3f}"} for i in range(30)]  # oriented to the risk allele: fine
    read_sumstats(write(tmp_path / "h.tsv", rows))


def test_minus_log10_p_named_p_is_noticed(tmp_path):
    z = np.random.default_rng(1).normal(0, 2, 60)
    rows = [{"beta": f"{value * 0.05:.5f}", "p_value": f"{neg_log10_p_of(value):.5f}"} for value in z]
    with pytest.raises(InputError, match="p-values and effects contradict one another"):
        read_sumstats(write(tmp_path / "g.tsv", rows))
    for row, value in zip(rows, z, strict=True):
        row["p_value"] = f"{2 * norm.sf(abs(value)):.2g}"
    read_sumstats(write(tmp_path / "g.tsv", rows))
