"""fineprior finemap from files to files, and what it says of wrong input."""

import dataclasses
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import configurations_by_hand
from fineprior import cli
from fineprior.files.tables import CREDIBLE_SETS, FINEMAP_VARIANTS, LOCI_STATUS, main_sets
from fineprior.finemap.fits import load_fits
from fineprior.finemap.susie import susie_rss
from fineprior.project.project import settings_alone
from fineprior.project.schemas import rule_of
from fineprior.project.settings import CalibrateSettings, FinemapSettings
from fineprior.steps.finemap_files import finemap_files
from workflow_runs import ROOT

P, N = 30, 20_000


@pytest.fixture(scope="module")
def locus():
    """R of a chain of variants with alleles either way, and z of signals at 5 and 20."""
    rng = np.random.default_rng(3)
    signs = rng.choice([-1, 1], P)
    R = 0.8 ** np.abs(np.subtract.outer(np.arange(P), np.arange(P))) * np.outer(signs, signs)
    z = R[5] * 9 + R[20] * 7 + np.linalg.cholesky(R) @ rng.normal(size=P) * 0.5
    return z, R


@pytest.fixture
def files(tmp_path, locus):
    z, R = locus
    ids = [f"1:{100 * (j + 1)}:A:C" for j in range(P)]
    pd.DataFrame({"variant_id": ids, "z": z}).to_csv(tmp_path / "z.tsv", sep="\t", index=False)
    pd.DataFrame({"variant_id": ids, "prior": 2.0}).to_csv(tmp_path / "prior.tsv", sep="\t", index=False)
    np.save(tmp_path / "ld.npy", R)
    return tmp_path


def run(folder, *arguments, ld="ld.npy", n=str(N), z="z.tsv"):
    given = ["finemap", "--z", str(folder / z), "--out", str(folder / "out/x"), *map(str, arguments)]
    given += ["--ld", str(folder / ld)] if ld else []
    given += ["--n", n] if n else []
    return cli.main(given)


def read(folder):
    paths = (".variants.tsv.gz", ".credible_sets.tsv", ".loci_status.tsv")
    tables = (FINEMAP_VARIANTS, CREDIBLE_SETS, LOCI_STATUS)
    return [table.read(folder / f"out/x{path}") for table, path in zip(tables, paths, strict=True)]


def edit(path, **columns):
    table = pd.read_csv(path, sep="\t", dtype="str", keep_default_na=False)
    table.assign(**columns).to_csv(path, sep="\t", index=False)


def test_in_sample_is_susie_rss(files, locus, capsys):
    assert run(files, "--ld-of", "in_sample", "--L", "5", "--locus", "mine") == 0
    variants, sets, status = read(files)
    fit = susie_rss(*locus, N, L=5)
    np.testing.assert_allclose(variants["pip_susie"], fit.pip, atol=1e-6)
    assert variants["pos"].tolist() == list(range(100, 3100, 100))
    assert len(main_sets(sets)) == len(fit.sets) == 2
    assert (status["locus"].item(), status["status"].item(), status["left_out"].item()) == ("mine", "ok", 0)
    np.testing.assert_allclose(load_fits(files / "out/x.fits.npz")["mine"].alpha, fit.alpha, atol=1e-12)
    assert (files / "out/x.fits.rds").stat().st_size > 1000
    assert capsys.readouterr().out.startswith("mine: ok; 2 credible sets\n")


HARD = configurations_by_hand.locus(1165, p=40, causal=4, chi2=100.0, correlation=0.95)
"""A locus on which each of SuSiE's options changes its PIPs."""
OF_THE_POSTERIOR = {
    "refine": (True, ["--refine"], "pip_susie"), "z_method": ("score", ["--z-method", "score"], "pip_susie"),
    "null_weight": (0.3, ["--null-weight", "0.3"], "pip_susie"), "L_greedy": (1, ["--L-greedy", "1"], "pip_susie"),
    "posterior": ("susie", ["--posterior", "susie"], "pip"), "mean_causal": (3.0, ["--mean-causal", "3"], "pip"),
    "seed": (2, ["--seed", "2"], "pip"),
}  # fmt: skip
"""Setting -> its value, as options of the command, and the column of variants that shows it."""


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_THE_POSTERIOR)
def test_options_of_the_posterior_count_and_agree_with_the_config(tmp_path, name):
    value, options, column = OF_THE_POSTERIOR[name]
    ids = [f"1:{100 * (j + 1)}:A:C" for j in range(len(HARD[0]))]
    pd.DataFrame({"variant_id": ids, "z": HARD[0]}).to_csv(tmp_path / "z.tsv", sep="\t", index=False)
    np.save(tmp_path / "ld.npy", HARD[1])
    found = {}
    for way, given in (("off", []), ("on", options)):
        assert run(tmp_path, "--ld-of", "in_sample", *given, n="500") == 0
        found[way] = (
            {path.name: path.read_bytes() for path in (tmp_path / "out").glob("x.*")},
            read(tmp_path)[0][column],
        )
    assert (found["on"][1] - found["off"][1]).abs().max() > (0 if name == "seed" else 0.05)
    config = {"seed": value} if name == "seed" else {"finemap": {name: value}}
    settings = settings_alone(config | {"finemap": {"ld": "in_sample", **config.get("finemap", {})}})
    finemap_files(z=tmp_path / "z.tsv", ld=tmp_path / "ld.npy", out=str(tmp_path / "config/x"), n=500,
                  settings=settings.finemap, seed=settings.seed)  # fmt: skip
    assert {path.name: path.read_bytes() for path in (tmp_path / "config").glob("x.*")} == found["on"][0]


SIGNS = np.array([1.0, -1.0, 1.0, -1.0, 1.0])
ODD = {
    "one variant": ([6.0], [[1.0]], None, "ok", [1.0]),
    "two variants": ([6.0, 1.0], np.eye(2), None, "ok", [1.0, None]),
    "two identical": ([6.0, 6.0, 0.0], [[1, 1, 0], [1, 1, 0], [0, 0, 1]], None, "ok", ["twin", "twin", None]),
    "all ones": ([6.0] * 5, np.ones((5, 5)), None, "ok", ["twin"] * 5),
    "rank 1": (6 * SIGNS, np.outer(SIGNS, SIGNS), None, "ok", ["twin"] * 5),
    "z of 0": ([0.0] * 5, np.eye(5), None, "no_signal", ["twin"] * 5),
    "a set excluded": ([9.0, 9.0, 0.5], [[1, 1, 0], [1, 1, 0], [0, 0, 1]], [0, 0, 1], "no_signal", [0.0, 0.0, None]),
}
"""z, R, prior; status and PIPs (None: any; "twin": the same)."""


@pytest.mark.parametrize("name", ODD)
def test_odd_loci_have_their_tables(tmp_path, capsys, name):
    z, R, prior, status, expected = ODD[name]
    ids = [f"1:{100 * (j + 1)}:A:C" for j in range(len(z))]
    pd.DataFrame({"variant_id": ids, "z": z}).to_csv(tmp_path / "z.tsv", sep="\t", index=False)
    np.save(tmp_path / "ld.npy", np.array(R, float))
    given = ["--ld-of", "in_sample"]
    if prior is not None:
        pd.DataFrame({"variant_id": ids, "prior": prior}).to_csv(tmp_path / "prior.tsv", sep="\t", index=False)
        given += ["--prior", tmp_path / "prior.tsv"]
    assert run(tmp_path, *given) == 0
    assert capsys.readouterr().err == ""
    variants, _, row = read(tmp_path)
    pips = variants["pip"].tolist()
    assert np.isfinite(pips).all()
    twins = [pip for pip, what in zip(pips, expected, strict=True) if what == "twin"]
    assert max(twins, default=0) - min(twins, default=0) < 1e-3
    known = [(pip, what) for pip, what in zip(pips, expected, strict=True) if isinstance(what, float)]
    assert [pip for pip, _ in known] == pytest.approx([what for _, what in known], abs=1e-3)
    assert row["posterior"].item() == "search"
    assert row["status"].item() in {status, "incomplete"}
    if name == "a set excluded":
        assert "2 variants have a prior of 0" in row["remarks"].item()


@pytest.mark.parametrize("seed", ["one", "1.5", "-1", ""])
def test_a_seed_that_is_no_number_is_refused(files, capsys, seed):
    with pytest.raises(SystemExit) as stopped:
        run(files, "--seed", seed)
    assert stopped.value.code == 2
    assert f"argument --seed: '{seed}' must be a whole number (at least 0)" in capsys.readouterr().err


def test_help_says_what_in_sample_does_besides_susie_rss(capsys):
    with pytest.raises(SystemExit):
        cli.main(["finemap", "--help"])
    shown = capsys.readouterr().out
    assert "still excluded (unless --allele-switches keep)" in shown
    assert "does not converge, the fit continues" in " ".join(shown.split())


def test_by_default_ld_is_a_panels(files):
    assert run(files, "--panel-size", 500) == 0
    assert read(files)[2]["panel_size"].item() == 500


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "npz", "npz of loci", "npz in another order", "list of names", "more"])
def test_ld_in_every_form_is_the_same(files, locus, kind):
    run(files)
    before = read(files)[0]["pip"]
    ids, R = np.array([f"1:{100 * (j + 1)}:A:C" for j in range(P)]), locus[1]
    order = np.random.default_rng(0).permutation(P)
    name, further = "other.npz", []
    if kind == "text":
        name = "other.txt"
        np.savetxt(files / name, R, delimiter="\t")
    elif kind == "npz":
        np.savez(files / name, R=R, variant_id=ids)
    elif kind == "npz of loci":
        np.savez(files / name, **{"locus/R": R, "locus/variant_id": ids, "b/R": R[:2, :2]})
    elif kind == "npz in another order":
        np.savez(files / name, R=R[np.ix_(order, order)], variant_id=ids[order])
    else:
        rows = np.append(order, order[:1])[: P + (kind == "more")]
        larger = R[np.ix_(rows, rows)]
        names = ids[rows]
        names[P:] = "1:1:A:C"
        name, further = "other.npy", ["--ld-variants", files / "names.txt"]
        np.save(files / name, larger)
        (files / "names.txt").write_text("\n".join(names) + "\n")
    assert run(files, *further, ld=name) == 0
    np.testing.assert_allclose(read(files)[0]["pip"], before, atol=1e-6)


@pytest.mark.slow
def test_beta_and_se_and_n_by_variant(files, locus):
    run(files)
    before = read(files)[0]["pip"]
    pd.DataFrame({"variant_id": [f"rs{j}" for j in range(P)], "beta": locus[0] / 50, "se": 1 / 50, "n": N}).to_csv(
        files / "z.tsv", sep="\t", index=False
    )
    assert run(files, n=None) == 0
    variants, sets, _ = read(files)
    np.testing.assert_allclose(variants["pip"], before, atol=1e-6)
    assert variants["pos"].eq(0).all()
    assert variants["ref"].isna().all()
    assert sets[["start", "end"]].eq(0).all().all()


@pytest.mark.slow
def test_a_prior_moves_the_pip_and_further_variants_are_counted(files, capsys):
    run(files)
    before = read(files)[0]["pip"]
    weights = np.ones(P)
    weights[6] = 100
    edit(files / "prior.tsv", prior=weights)
    with (files / "prior.tsv").open("a") as handle:
        handle.write("1:1:A:C\t1\n")
    assert run(files, "--prior", files / "prior.tsv") == 0
    variants = read(files)[0]
    assert variants["pip"][6] > before[6]
    assert variants["prior"].sum() == pytest.approx(1)
    assert variants["prior"][6] == pytest.approx(100 / 129)


def test_without_ld_one_effect(files):
    assert run(files, ld=None) == 0
    assert read(files)[2]["status"].item() == "single_effect"


def test_z_in_another_order_than_ld_is_a_status(files, capsys):
    table = pd.read_csv(files / "z.tsv", sep="\t")
    table.assign(z=np.random.default_rng(1).permutation(table["z"])).to_csv(files / "z.tsv", sep="\t", index=False)
    assert run(files) == 0
    status = read(files)[2].iloc[0]
    assert status["status"] in {"single_effect", "no_signal"}
    assert "z and R do not belong together" in status["reason"]


def test_a_panel_of_another_population_is_refused_unless_asked_for(files, capsys):
    assert run(files, "--panel-size", "500", "--fst", "0.06") == 0
    assert "single_effect (the panel differs from the GWAS by F_ST 6.0%, above" in capsys.readouterr().out
    assert read(files)[2]["fst"].item() == 0.06
    assert run(files, "--panel-size", "500", "--fst", "0.06", "--max-fst", "0.1") == 0
    out = capsys.readouterr().out
    assert "single_effect" not in out
    assert "  the panel differs from the GWAS by F_ST 6.0%: its LD may be wrong\n" in out


@pytest.mark.parametrize(("ld_of", "what"), [("in_sample", "that of the GWAS itself"), ("none", "none")])
def test_an_fst_that_is_of_no_panel_is_said_not_to_be_used(files, caplog, ld_of, what):
    assert run(files, "--ld-of", ld_of, "--fst", "0.06") == 0
    assert caplog.messages == [f"--fst: 0.06 is not used: it is of a panel, and the LD is {what}"]
    assert read(files)[2]["fst"].isna().all()
    caplog.clear()
    assert run(files, "--fst", "0.06", ld=None) == 0
    assert caplog.messages == ["--fst: 0.06 is not used: it is of a panel, and the LD is none"]


def test_a_huge_z_does_not_underflow(files, locus):
    edit(files / "z.tsv", z=locus[0] * 7)
    assert run(files, "--ld-of", "in_sample", n="1000000") == 0
    variants = read(files)[0]
    assert np.isfinite(variants[["pip", "neg_log10_p", "posterior_mean"]]).all().all()
    assert variants["neg_log10_p"].max() > 400
    assert variants["pip"].max() > 0.9


def test_one_variant(files):
    (files / "z.tsv").write_text("variant_id\tz\nrs1\t8\n")
    np.save(files / "ld.npy", np.ones((1, 1)))
    assert run(files) == 0
    assert read(files)[0]["pip"].item() == pytest.approx(1)


def test_a_locus_that_fails_is_said_and_written(files, capsys):
    edit(files / "z.tsv", z="1e200")
    assert run(files) == 1
    assert read(files)[2]["status"].item() == "failed"
    assert "failed (" in capsys.readouterr().out


BAD = {
    "no such file": ({"z": "none.tsv"}, "none.tsv: no such file"),
    "no ld file": ({"ld": "none.npy"}, "none.npy: no such file"),
    "n is missing": ({"n": None}, "no column n; give the sample size with --n"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_wrong_arguments_are_one_line(files, capsys, arguments, message):
    assert run(files, **arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (files / "out").exists()


def _ld(change):
    return lambda folder: np.save(folder / "ld.npy", change(np.load(folder / "ld.npy")))


def _z(**columns):
    return lambda folder: edit(folder / "z.tsv", **columns)


def _prior(**columns):
    return lambda folder: edit(folder / "prior.tsv", **columns)


def _npz(**arrays):
    return lambda folder: np.savez(folder / "ld.npz", R=np.eye(P), **arrays)


WRONG = {
    "NaN in z": (_z(z=["NA", *["1"] * (P - 1)]), r"z.tsv, line 2: z of 1:100:A:C is 'NA', a number is needed"),
    "inf in z": (_z(z="inf"), r"line 2: z of 1:100:A:C is 'inf', a number is needed (30 such rows)"),
    "se of 0": (lambda f: (f / "z.tsv").write_text("variant_id\tbeta\tse\na\t1\t0\n"), "se of a is '0', above 0"),
    "no z": (lambda f: (f / "z.tsv").write_text("variant_id\tbeta\na\t1\n"), "a column z is needed, or beta and se"),
    "no variants": (lambda f: (f / "z.tsv").write_text("variant_id\tz\n"), "z.tsv: no variants"),
    "empty file": (lambda f: (f / "z.tsv").write_text(""), "z.tsv: not a readable table"),
    "a row too long": (lambda f: (f / "z.tsv").write_text("variant_id\tz\na\t1\t2\n"), "z.tsv: not a readable table"),
    "no name": (_z(variant_id=["", *map(str, range(P - 1))]), "z.tsv, line 2: the variant has no name"),
    "empty ld": (lambda f: (f / "ld.txt").write_text(""), "ld.txt: not a readable matrix"),
    "people of a panel": (
        lambda f: np.savez(f / "ld.npz", R=np.eye(P), panel_size=[1, 2]),
        "panel_size has shape (2,)",
    ),
    "names of ld": (
        lambda f: np.savez(f / "ld.npz", R=np.eye(P), variant_id=np.eye(P)),
        "900 names for the 30 variants",
    ),
    "commas": (lambda f: (f / "z.tsv").write_text("variant_id,z\na,1\n"), "no column variant_id"),
    "a variant twice": (_z(variant_id="a"), "variant a is there more than once"),
    "n of 1": (_z(n="1"), "n of 1:100:A:C is '1', a sample size above 1"),
    "pos of 0": (_z(chrom="1", pos="0", ref="A", alt="C"), "pos of 1:100:A:C is '0', a whole number"),
    "fewer in ld": (_ld(lambda R: R[:4, :4]), "4 variants, but 30 z-scores; say which they are with --ld-variants"),
    "not square": (_ld(lambda R: R[:4]), "shape (4, 30) of float64, a square matrix"),
    "ld is rubbish": (lambda f: (f / "ld.npy").write_bytes(b"x"), "ld.npy: not a readable matrix"),
    "prior all 0": (_prior(prior="0"), "the prior is 0 for all variants"),
    "prior negative": (_prior(prior="-1"), "prior of 1:100:A:C is '-1', 0 or more is needed"),
    "prior is text": (_prior(prior="high"), "prior of 1:100:A:C is 'high'"),
    "prior of others": (_prior(variant_id=[f"x{j}" for j in range(P)]), "no prior of variant 1:100:A:C and 29 more"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_wrong_files_are_one_line(files, capsys, change, message):
    change(files)
    ld = next((name for name in ("ld.txt", "ld.npz") if (files / name).exists()), "ld.npy")
    assert run(files, "--prior", files / "prior.tsv", ld=ld) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (files / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_ld(lambda R: R * np.nan), "R: row 0"),
        (_ld(lambda R: R + np.triu(np.full((P, P), 0.3), 1)), "R: not symmetric"),
        (_ld(np.square), "as if r² were given"),
    ],
    ids=["NaN", "not symmetric", "squared"],
)
def test_ld_that_cannot_be_used_leaves_one_effect(files, change, reason):
    change(files)
    assert run(files) == 0
    status = read(files)[2].iloc[0]
    assert reason in str(status["reason"])
    assert status["status"] == "single_effect"


@pytest.mark.parametrize("names", ["1:100:A:C\n", "\n".join(["a"] * P), "\n".join(f"x{j}" for j in range(P))])
def test_wrong_names_of_ld(files, capsys, names):
    (files / "names.txt").write_text(names)
    assert run(files, "--ld-variants", files / "names.txt") == 2
    assert "names.txt: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--coverage", "1"], "'1' must be a number (above 0 and below 1)"),
     (["--L", "0"], "'0' must be a whole number (at least 1)"), (["--L", "1.5"], "'1.5' must be a whole number"),
     (["--n", "x"], "'x' must be a number (above 1)"), (["--tol", "nan"], "'nan' must be a number"),
     (["--fst", "-0.1"], "must be a number (at least 0 and at most 1)"), (["--fst", "x"], "'x' must be a number"),
     (["--model", "finemap"], "invalid choice")],
)  # fmt: skip
def test_options_out_of_range_are_refused(files, capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        run(files, *arguments, n=None)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


COMMAND_SETTINGS = {"finemap": FinemapSettings, "calibrate": CalibrateSettings}


@pytest.mark.parametrize(
    ("command", "name"),
    [(command, field.name) for command, cls in COMMAND_SETTINGS.items() for field in dataclasses.fields(cls)],
)
def test_options_are_those_of_the_config(command, name, capsys):
    """Same names, allowed values, ranges and defaults."""
    cls, required = COMMAND_SETTINGS[command], {"finemap": ["--z", "z", "--out", "o"], "calibrate": ["--study", "s"]}
    flag = "--ld-of" if (command, name) == ("finemap", "ld") else f"--{name.replace('_', '-')}"
    rule, default = rule_of(cls, name), getattr(cls(), name)
    parse = cli.parser().parse_args
    given = getattr(parse([command, *required[command]]), name)
    assert given == (default if command == "finemap" else None)
    if isinstance(default, bool):
        assert getattr(parse([command, *required[command], flag]), name) is True
        assert getattr(parse([command, *required[command], f"--no-{flag[2:]}"]), name) is False
        return
    texts = list(map(str, default)) if isinstance(default, list) else [str(default)]
    parsed = getattr(parse([command, *required[command], flag, *texts]), name)
    assert (parsed, type(parsed)) == (default, type(default))
    outside = ["none of these"] if rule.choices else []
    if rule.range:
        bounds = [bound for word, bound in rule.range.items() if word.startswith("exclusive")]
        bounds += [bound + sign for word, sign in (("minimum", -1), ("maximum", 1)) for bound in
                   [rule.range.get(word)] if bound is not None]  # fmt: skip
        outside += [f"{bound:g}" for bound in bounds]
    for text in outside:
        with pytest.raises(SystemExit) as stopped:
            parse([command, *required[command], flag, text])
        assert stopped.value.code == 2
        assert capsys.readouterr().err.startswith(f"usage: fineprior {command} ")


@pytest.mark.parametrize("command", ["finemap", "calibrate", "explain", "verify"])
def test_every_option_of_a_command_says_what_it_is(command, capsys):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    options = re.findall(r"^  (-[^\n]*(?:\n {20,}[^\n]*)*)", capsys.readouterr().out, flags=re.MULTILINE)
    assert options
    assert all(re.search(r"\S  +\S|\n +\S", option) for option in options)


@pytest.mark.slow
def test_the_help_explains_input_output_and_has_an_example():
    command = [sys.executable, "-m", "fineprior.cli", "finemap", "--help"]
    done = subprocess.run(command, cwd=ROOT / "scripts", capture_output=True, text=True, check=True)
    for word in ("variant_id", "--prior", "plink --r square", "loci_status.tsv", "example:", "--L"):
        assert word in done.stdout


@pytest.mark.slow
def test_a_prior_of_0_at_the_strongest_variant_is_0_and_said(files, locus, capsys):
    z, _ = locus
    lead = int(np.abs(z).argmax())
    edit(files / "prior.tsv", prior=np.where(np.arange(P) == lead, 0.0, 1.0).astype(str))
    for arguments in ((), ("--ld-of", "in_sample"), ("--model", "susie_inf")):
        assert run(files, "--prior", files / "prior.tsv", *arguments) == 0
        variants, _, status = read(files)
        assert variants["pip"].iloc[lead] == 0
        words = f"a prior of 0 and therefore a PIP of 0, among them the strongest variant, 1:{100 * (lead + 1)}:A:C"
        assert words in status["remarks"].item()
        assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("values", "message"),
    [(["0"] * P, "the prior is 0 for all variants"), (["-1", *["1"] * (P - 1)], "prior of 1:100:A:C is '-1'"),
     (["nan", *["1"] * (P - 1)], "is 'nan', 0 or more is needed"), (["inf", *["1"] * (P - 1)], "is 'inf', 0 or more")],
)  # fmt: skip
def test_a_prior_that_is_none_is_refused(files, capsys, values, message):
    edit(files / "prior.tsv", prior=values)
    assert run(files, "--prior", files / "prior.tsv") == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_priors_of_any_size_sum_to_1(files):
    for scale in ("1e-320", "1e308"):
        edit(files / "prior.tsv", prior=[scale] * P)
        assert run(files, "--prior", files / "prior.tsv") == 0
        np.testing.assert_allclose(read(files)[0]["prior"], 1 / P, rtol=1e-3)


@pytest.mark.parametrize(("count", "status"), [(1, "incomplete"), (2, "ok")])
def test_loci_of_one_and_two_variants(files, count, status):
    table = pd.read_csv(files / "z.tsv", sep="\t").iloc[5 : 5 + count]
    table.to_csv(files / "z.tsv", sep="\t", index=False)
    np.save(files / "ld.npy", np.load(files / "ld.npy")[5 : 5 + count, 5 : 5 + count])
    assert run(files) == 0
    variants, _, rows = read(files)
    assert rows["status"].item() == status
    assert f"{count} variant" in f"{rows['reason'].item()} {rows['remarks'].item()}"
    assert variants["pip"].notna().all()
