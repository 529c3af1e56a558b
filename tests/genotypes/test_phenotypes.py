import numpy as np
import pytest

from fineprior.foundation.errors import InputError
from fineprior.genotypes.phenotypes import read_cohort

PEOPLE = [f"p{i}" for i in range(8)]


def write(path, header, rows):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def trait(tmp_path, values, header="FID IID t", names=PEOPLE):
    rows = [
        f"f {name} {value}" if "FID" in header else f"{name}\t{value}"
        for name, value in zip(names, values, strict=True)
    ]
    return write(tmp_path / "trait.txt", header, rows)


@pytest.mark.parametrize(
    ("values", "binary", "expected"),
    [
        ("12121212", True, [0, 1, 0, 1, 0, 1, 0, 1]),
        ("01010101", True, [0, 1, 0, 1, 0, 1, 0, 1]),
        (["1.5", "2", "1", "2", "1", "2", "1", "2"], False, [1.5, 2, 1, 2, 1, 2, 1, 2]),
        ("02020202", False, [0, 2, 0, 2, 0, 2, 0, 2]),
    ],
)
def test_what_values_mean(tmp_path, values, binary, expected):
    cohort = read_cohort(PEOPLE, trait(tmp_path, values))
    assert (cohort.binary, cohort.trait.tolist()) == (binary, expected)
    assert cohort.cases == (4 if binary else 0)


def test_people_are_matched_by_name_in_the_order_of_the_genotypes(tmp_path):
    values = ["5", "NA", "3", "-9", "1", "0.5", "7"]
    names = ["p7", "p1", "p2", "p3", "p4", "p5", "stranger"]
    cohort = read_cohort(PEOPLE, trait(tmp_path, values, "#IID\ttrait", names))
    assert cohort.rows.tolist() == [2, 4, 5, 7]
    assert cohort.trait.tolist() == [3, 1, 0.5, 5]
    assert cohort.name == "trait"
    assert cohort.left_out == {"no phenotype": 4, "phenotype without genotypes": 1}


def test_covariates_span_the_same_space_whatever_is_redundant(tmp_path, caplog):
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 8)).round(6)
    b[3] = np.nan
    rows = [f"p{i} {a[i]:.6f} {2 * a[i] + 5:.6f} 7 {'NA' if i == 3 else f'{b[i]:.6f}'}" for i in range(8)]
    covariates = write(tmp_path / "c.txt", "IID age twice constant pc", rows)
    cohort = read_cohort(PEOPLE, trait(tmp_path, np.arange(8.0)), covariates)
    assert cohort.rows.tolist() == [0, 1, 2, 4, 5, 6, 7]
    assert cohort.left_out["a covariate is missing"] == 1
    assert "covariate constant is the same for everybody; left out" in caplog.text
    assert "covariate twice is a linear combination of those before it; left out" in caplog.text
    assert cohort.covariates.T @ cohort.covariates == pytest.approx(np.eye(3), abs=1e-12)
    wanted = np.column_stack([np.ones(7), a[cohort.rows], b[cohort.rows]])
    assert cohort.covariates @ (cohort.covariates.T @ wanted) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "trait.txt: the first line must be a header that begins with IID, or with FID and IID"),
        ("p0 1\np1 2\n", "the first line must be a header"),
        ("X IID t\nf p0 1\n", "the first line must be a header"),
        ("IID\np0\n", "one trait is needed beside FID and IID; there are 0: none"),
        ("IID a b\np0 1 2\n", "one trait is needed beside FID and IID; there are 2: a, b"),
        ("IID t\n", "trait.txt: nobody below the header"),
        ("IID t\np0 1 2\n", "person 1 has 3 fields, the header has 2"),
        ("IID t\np0 1\np0 2\n", "person 'p0' is there twice"),
        ("IID t\np0 tall\n", "t of person 'p0' is 'tall'; a number or NA is needed"),
        ("IID t\np0 inf\n", "t of person 'p0' is 'inf'; a number or NA is needed"),
        ("IID t\nx0 1\nx1 2\n", "nobody of it is in the genotypes; 'x0' is not, for example"),
        ("IID t\np0 1\np1 2\n", "2 people are left"),
        ("IID t\n" + "".join(f"p{i} 1\n" for i in range(8)), "trait t: everybody has the value 1"),
        ("IID t\n" + "".join(f"p{i} {i % 3}\n" for i in range(8)), "values 0, 1 and 2; write NA where 0 means missing"),
    ],
)
def test_bad_traits(tmp_path, text, message):
    (tmp_path / "trait.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_cohort(PEOPLE, tmp_path / "trait.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("IID sex\np0 male\n", r"sex of person 'p0' is 'male'; .*write categories as columns of 0 and 1"),
        ("IID a a\np0 1 2\n", "a column is there twice; the header is IID a a"),
        ("IID a\np0 NA\n", "0 people are left"),
    ],
)
def test_bad_covariates(tmp_path, text, message):
    (tmp_path / "c.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_cohort(PEOPLE, trait(tmp_path, np.arange(8.0)), tmp_path / "c.txt")


def test_people_of_one_name_are_named(tmp_path):
    with pytest.raises(InputError, match="genotypes: person 'p1' is there twice"):
        read_cohort([*PEOPLE, "p1"], trait(tmp_path, np.arange(8.0)))
