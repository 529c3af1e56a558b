import gzip

import numpy as np
import pytest
from scipy.stats import norm

from fineprior.foundation.errors import InputError
from fineprior.genetics import sumstats
from fineprior.genetics.sumstats import STANDARD, Metadata, neg_log10_p_of, read_metadata, read_sumstats, z_of

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


def test_chunks_do_not_show(tmp_path, monkeypatch):
    path = write(tmp_path / "a.tsv", [{"base_pair_location": str(i), "chromosome": "X" if i > 5 else "1"}
                                      for i in range(1, 9)])  # fmt: skip
    whole = read_sumstats(path)
    monkeypatch.setattr(sumstats, "_ROWS_AT_ONCE", 3)
    assert read_sumstats(path).equals(whole)
    assert whole["row"].to_list() == list(range(2, 10))


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


@pytest.mark.parametrize("p", ["0", "0.0", "1e-400", "1e-310"])
def test_p_that_underflows_comes_from_z(tmp_path, p):
    frame = read_sumstats(write(tmp_path / "a.tsv", [{"beta": "4", "standard_error": "0.1", "p_value": p}]))
    assert frame["neg_log10_p"].iloc[0] == pytest.approx(-(norm.logsf(40) + np.log(2)) / np.log(10), rel=1e-12)


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
    cases = "case_count: 10\ncontrol_count: 30\n"
    assert read_sumstats(write(tmp_path / "c.tsv", rows, HEADER[:-1], cases)).n.to_list() == [40, 40]


def test_zero_based_positions_are_counted_from_1(tmp_path):
    frame = read_sumstats(write(tmp_path / "a.tsv", [{}], meta="coordinate_system: 0-based"))
    assert (frame["pos"].iloc[0], frame["source_pos"].iloc[0]) == (101, "100")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("genome_assembly: GRCh37\ncoordinate_system: 1-based\nsample_size: 5", Metadata("GRCh37", False, 5.0)),
        ("samples:\n  - sample_size: 5\n  - case_count: 3\n    control_count: 4\n", Metadata(None, False, 12.0)),
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
        ("- a\n- b", "not list"),
        ("just text", "not str"),
        ("", "not NoneType"),
        ("a: [", "not YAML"),
        ("!!python/object/apply:os.getcwd []", "not YAML"),
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
        (without("beta"), "no effect column; allowed: beta, odds_ratio, hazard_ratio, z_score"),
        (without("standard_error", "p_value"), "neither standard_error nor p_value .* beside beta"),
        (without("n"), "no sample size; give it as column 'n', or as sample_size in g.tsv-meta.yaml"),
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
        (b"\n1\t2\n", "first line"),
        (("\t".join(HEADER) + "\n").encode(), "no rows after the header"),
        ((" ".join(HEADER) + "\n" + " ".join(ROW.values())).encode(), "must be separated by tabs"),
        (("\t".join(HEADER) + "\n" + "\t".join([*ROW.values(), "5"]) + "\n").encode(), "more columns than the header"),
        (("\t".join(HEADER) + "\n" + "\t".join(ROW.values()) + "\n" + "\t".join([*ROW.values(), "5"])).encode(),
         "lines differ in their number of columns"),
        (("\t".join(HEADER) + "\n" + "\t".join(ROW.values())).encode("utf-16"), "not a text file in UTF-8"),
        (b"\x1f\x8b\x08rubbish", "damaged or cut off"),
        (gzip.compress(("\t".join(HEADER) + "\n" + "\t".join(ROW.values()) * 99).encode())[:-20], "cut off"),
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
