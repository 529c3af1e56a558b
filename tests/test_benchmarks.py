"""The benchmarks' last lines, which say what was reached beside the goals, and going on from a stopped run."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
MEASURED = {"wall": 1.0, "cpu": 1.0, "memory": 100.0}


@pytest.fixture
def module(monkeypatch):
    """Imports a benchmark; threads and the search path stay as they were."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    return importlib.import_module


def row(seconds, peer_seconds, error=0.0, p=2000):
    names = {"susie_rss": seconds, "default": 2 * seconds, "susieR": peer_seconds, "pysusie": 3 * peer_seconds}
    return {"p": p, "error": error, "command": MEASURED} | {
        name: MEASURED | {"seconds": value} for name, value in names.items()
    }


def test_times_are_beside_the_fastest_peer_and_errors_are_the_largest(module):
    susie = module("susie")
    rows = [row(0.1, 1.0), row(0.1, 4.0, error=3e-8)]
    found = {one.name: one for one in susie.ratios(rows, ["susie_rss", "default", "command", "susieR", "pysusie"])}
    fit = found["fit_susie_rss_p2000_geometric_mean"], found["fit_susie_rss_p2000_smallest"]
    assert [(pytest.approx(one.value), one.goal, one.missed) for one in fit] == [(20, 30, True), (10, 10, False)]
    assert found["fit_default_p2000_smallest"].value == pytest.approx(5)
    assert "fit_command_p2000_smallest" not in found
    assert found["files_command_p2000_smallest"].value == 1
    assert found["memory_default_p2000_of_allowed"].value == pytest.approx(100 / (20e6 / 2**20 + 200))
    assert (found["pip_error_p2000"].value, found["pip_error_p2000"].missed) == (3e-8, False)


def test_without_peers_no_times_are_compared_and_ratios_come_last(module, capsys):
    susie = module("susie")
    found = susie.ratios([row(0.1, 1.0)], ["susie_rss"])
    susie.report([*found, susie.Ratio("check", 2.0, 1, at_most=True)], ["susieR", "pysusie"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "Not run: susieR and pysusie, so no times are compared."
    assert lines[2].endswith("missed: check")
    assert [line.split()[1] for line in lines[3:]] == ["memory_susie_rss_p2000_of_allowed", "pip_error_p2000", "check"]
    assert lines[-1] == "ratio check 2 goal 1"


def test_the_committed_tables_are_those_that_the_benchmarks_write(module):
    rows = [row(0.1, 1.0) | {"locus": (1, "in-sample", "uniform")}]
    header, line = (text.split("\t") for text in module("susie").table(rows))
    cells = dict(zip(header, line, strict=True))
    assert cells | {"p": "2000", "fineprior_cpu_s": "0.1000", "pysusie_cpu_s": "3.00", "times_faster": "10"} == cells
    performance = FOLDER.parent / "docs/performance"
    assert (performance / "susie.tsv").read_text().splitlines()[0].split("\t") == header
    assert (performance / "transfer.tsv").read_text().splitlines()[0].split("\t") == list(module("transfer").COLUMNS)


def counts(module, source, data, method, numbers, switches=(0, 0, 0, 0)):
    names = [*module.COUNTS[:4], *module.SWITCHES]
    return {"source": source, "data": data, "method": method} | dict(zip(names, [*numbers, *switches], strict=True))


def test_ratios_are_those_of_loci_with_a_panel_of_the_same_population(module):
    benchmark = module("ld_mismatch")
    table = pd.DataFrame([
        counts(benchmark, "coalescent", "clean", "SuSiE", (10, 8, 12, 6)),
        counts(benchmark, "coalescent", "clean", "fineprior", (10, 6, 10, 9), (0, 0, 100, 100)),
        counts(benchmark, "drifted", "clean", "fineprior", (10, 0, 50, 0)),
        counts(benchmark, "coalescent", "switched", "SuSiE", (10, 0, 50, 0)),
        counts(benchmark, "coalescent", "switched", "fineprior", (10, 0, 50, 0), (4, 3, 200, 1)),
    ])  # fmt: skip
    assert list(benchmark._ratios(table)) == [
        ("coverage", 0.9, 0.94),
        ("false_sets_over_plain", pytest.approx(1 / 6), 0.333),
        ("power_over_plain", 0.75, 0.9),
        ("switches_flagged", 0.75, 0.8),
        ("false_flags", 0.005, 0.01),
    ]


def test_a_stopped_run_goes_on_and_another_seed_is_new(module, tmp_path, monkeypatch, capsys):
    benchmark = module("ld_mismatch")

    class Pool:
        """In place of processes."""

        __init__ = __exit__ = lambda self, *_: None
        __enter__ = lambda self: self  # noqa: E731
        map = staticmethod(map)

    asked = []

    def count_locus(source, locus, seed, founders, in_sample):
        asked.append((source, locus, seed))
        row = dict.fromkeys(benchmark.COLUMNS, 1)
        head = {"source": source, "locus": locus, "seed": seed, "explained": 0.002, "status": "ok"}
        return [row | head | {"data": data, "method": method}
                for data in ("clean", "switched") for method in ("SuSiE", "fineprior")]  # fmt: skip

    monkeypatch.setattr(benchmark, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(benchmark, "_count_locus", count_locus)
    path = tmp_path / "counts.tsv"
    path.touch()
    for loci, seed in ((1, 1), (2, 1), (1, 2)):
        command = ["ld_mismatch.py", f"--loci={loci}", f"--seed={seed}", "--drifted=0", f"--output={path}"]
        monkeypatch.setattr(sys, "argv", command)
        benchmark.main()
    assert asked == [("coalescent", 0, 1), ("coalescent", 1, 1), ("coalescent", 0, 2)]
    assert path.read_text().count("source\t") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-6].startswith("--founders is not given")
    assert [line.split()[0] for line in lines[-5:]] == ["ratio"] * 5

    path.write_text("source\tlocus\ncoalescent\t0\n")
    with pytest.raises(SystemExit, match="its columns are not those"):
        benchmark.main()


@pytest.mark.slow
def test_every_row_that_harmonising_keeps_is_that_of_its_variant(module, tmp_path):
    from fineprior.project.settings import HarmoniseSettings
    from fineprior.steps.harmonise_sumstats import harmonise_sumstats

    benchmark = module("harmonise")
    rows = benchmark.make(tmp_path, 6600, 1, seed=3)
    harmonise_sumstats(
        sumstats=str(tmp_path / "gwas.tsv.gz"), fasta=str(tmp_path / "genome.fa"), panel=str(tmp_path / "panel"),
        output=str(tmp_path / "sumstats.parquet"), qc=str(tmp_path / "qc.tsv"), dropped=str(tmp_path / "d.tsv"),
        liftover=str(tmp_path / "l.tsv"),
        settings=HarmoniseSettings(palindromic="trust", min_maf=0.0, min_info=0.0),
    )  # fmt: skip
    table = benchmark.compare(tmp_path, with_theirs=False)
    assert table["rows"].sum() == rows
    kinds = table.set_index(["kind", "accident"])
    lost = {"absent from panel", "alleles of no variant", "missing value", "I/D alleles", "duplicate"}
    untold = (kinds.index.get_level_values(0) == "palindromic") & kinds.index.get_level_values(1).isin(
        benchmark.UNTELLABLE
    )
    gone = kinds.index.get_level_values(1).isin(lost)
    assert (kinds["in_ours"][gone] == 0).all()
    assert (kinds["in_ours"][~gone] >= kinds["rows"][~gone] - 2).all()  # a duplicate in which the effect is missing
    assert (kinds["right_ours"] == kinds["in_ours"])[~untold].all()
    assert {"not left-aligned", "not parsimonious"} <= set(kinds.index.get_level_values(1))


def test_harmonising_is_beside_gwaslab_by_time_and_by_what_differs(module):
    benchmark = module("harmonise")
    table = pd.DataFrame({"kind": ["snv", "palindromic"], "accident": ["none", "strand"], "in_ours": [10, 5],
                          "right_ours": [9, 0], "differ": [1, 2], "explanation": ["", "why"]})  # fmt: skip
    ours, theirs = {"seconds": 2.0, "cpu": 1.0, "peak_gb": 3.0}, {"seconds": 3.0, "cpu": 4.0, "peak_gb": 9.0}
    assert list(benchmark.ratios(ours, theirs, table)) == [
        "ratio peak_memory_gb 3 goal 6", "ratio kept_rows_that_are_right 0.9 goal 0.999",
        "ratio speed_over_gwaslab 1.5 goal 2", "ratio cpu_time_below_gwaslab 4 goal 2",
        "ratio rows_that_differ_unexplained 1 goal 0",
    ]  # fmt: skip
    assert len(list(benchmark.ratios(ours, None, table))) == 2


def test_ld_is_beside_plink_and_memory_beside_what_is_allowed(module):
    benchmark = module("ld")
    rows = {
        "fineprior": {"wall": 2.0, "cpu": 3.0, "memory": 300.0, "work": 1.0},
        "plink1.9 bin4": {"wall": 4.0, "cpu": 3.0, "memory": 10.0, "difference": 1e-6},
        "plink2 phased": {"wall": 1.0, "cpu": 1.0, "memory": 10.0},
    }
    found = dict(line.split()[1:3] for line in benchmark.ratios({(500, 2000): rows}, start_memory=100.0))
    assert found == {
        "memory_of_allowed_n500_p2000": f"{300 / (100 + (1.3 * 16e6 + 4e6) / 2**20):.3g}",
        "files_plink1.9_bin4_n500_p2000": "2",
        "work_plink1.9_bin4_n500_p2000": "4",
        "difference_plink1.9_bin4_n500_p2000": "1e-06",
        "files_plink2_phased_n500_p2000": "0.5",
        "work_plink2_phased_n500_p2000": "1",
    }


def test_fewest_products_for_a_variant_of_the_published_enformer(module):
    """Two forward passes are 6,510 GFLOP; one transformer without what a variant leaves as it is, about a tenth."""
    benchmark = module("enformer")
    with benchmark.torch.device("meta"):
        enformer = benchmark.Enformer.from_hparams(**benchmark.FULL | {"output_heads": {"human": 1}})
    few, all_bins = (benchmark.least_gflop(enformer, 1536, bins) for bins in (4, 896))
    assert 10.5 < 6510 / few < 11.5
    assert 9.8 < 6510 / all_bins < 10.5


def test_association_is_beside_plink_beyond_the_digits_that_are_written(module):
    benchmark = module("association")
    theirs = pd.DataFrame({"BETA": [0.123457, -2.5, 1.0, float("nan")], "SE": [0.1, 0.2, 0.1, 0.1]})
    ours = pd.DataFrame({"beta": [0.1234568, -2.5, 9.0, 0.0], "standard_error": [0.1, 0.2, 0.5, 0.1],
                         "status": ["ok", "ok", "collinear", "ok"], "n": [10, 9, 10, 10]})  # fmt: skip
    assert benchmark.differences(ours, theirs, linear=True, people=10) == (2, 0.0, 0.0)
    assert benchmark.differences(ours, theirs, linear=False, people=10)[0] == 1, "all people, for a disease"
    ours.loc[1, "beta"] = -2.5025
    _, effect, se = benchmark.differences(ours, theirs, linear=True, people=10)
    assert (effect, se) == (pytest.approx(1e-3, rel=0.01), 0.0)


@pytest.mark.slow
def test_calibration_says_what_was_reached_and_writes_its_table(module):
    benchmark = module("calibration")
    from calibrate_counts import FALSE, HITS, counted
    from fineprior.report.calibration import summary_of

    made = [counted(HITS, FALSE, scenario=name) for name in ("enrichment_10", "enrichment_1", "inverted")]
    made.append(counted(HITS, FALSE | {"functional": 30}, ld="panel"))  # of panels there are no goals
    summary = pd.concat([summary_of(*one) for one in made], ignore_index=True)
    row = summary[summary["prior"] == "functional"].iloc[0]
    found = {name: (value, goal) for name, value, goal in benchmark._ratios(summary)}
    assert found == {
        "enrichment_10_found_over_uniform": (pytest.approx(50 / 40), 1.25),
        "enrichment_10_fdr_excess": (pytest.approx(row["fdr_lower_90"] - 0.03), 0),
        "enrichment_10_coverage": (0.95, 0.94),
        "enrichment_1_found_over_uniform": (pytest.approx(50 / 40), 0.97),
        "enrichment_1_fdr_above_uniform": (pytest.approx(22 / 140 - 2 / 100), 0),
        "inverted_found_over_shuffled": (pytest.approx(50 / 38), 1),
        "inverted_fdr_above_shuffled": (pytest.approx(22 / 140 - 6 / 100), 0),
    }
    lines = list(benchmark._table("embedded", summary))
    assert len(lines) == 16
    names = benchmark._header().split("\t")
    assert all(len(line.split("\t")) == len(names) for line in lines)
    cells = dict(zip(names, lines[1].split("\t"), strict=True))
    named = [cells[name] for name in ("source", "ld", "scenario", "prior")]
    assert named == ["embedded", "in_sample", "enrichment_10", "functional"]
    assert (cells["hits_95"], cells["false_95"]) == ("120", "20")
    assert [cells[f"found_ratio{end}"] for end in ("", "_lower", "_upper")] == ["1.250"] * 3
    committed = (FOLDER.parent / "docs/method/calibration.tsv").read_text().splitlines()[0]
    assert committed == benchmark._header(), "the committed table is one of this benchmark"


def test_science_is_what_a_rule_spends_besides_its_start(module):
    scale = module("scale")
    names = (
        "/a/.snakemake/scripts/tmpx_1y.finemap.py",
        "/a/snakemake/__main__.py",
        "/a/.snakemake/scripts/tmpab.gather.py",
    )
    processes = pd.DataFrame(
        {"program": names, "cpu": [5.0, 9.0, 1.5], "start": [1.0, 1.0, 1.0], "mb": [1.0, 1.0, 1.0]}
    )
    rules = scale.Run(20.0, 16.0, processes).rules
    assert rules[["rule", "science"]].to_numpy().tolist() == [["finemap", 4.0], ["gather", 0.5]]


def test_processes_are_measured_as_they_end(module, tmp_path):
    scale = module("scale")
    done = scale.run(["-c", "import decimal, sys; sys.argv[0] = 'x/.snakemake/scripts/tmp1.finemap.py'"], tmp_path)
    assert done.rules["rule"].to_list() == ["finemap"]
    assert 0 < done.rules["start"].item() <= done.rules["cpu"].item() <= done.cpu


def test_the_large_project_and_genome_are_read_as_any_other(module, tmp_path):
    import yaml

    from fineprior.genome.fasta import Genome
    from fineprior.project.project import load_project

    scale = module("scale")
    scale.write_large_project(tmp_path / "large", studies=3, loci=5, batches=2)
    config = yaml.safe_load((tmp_path / "large/config/config.yaml").read_text())
    assert list(load_project(config, tmp_path / "large").studies) == ["study0", "study1", "study2"]
    scale.write_genome(tmp_path / "g.fa")
    with Genome(tmp_path / "g.fa") as genome:
        assert set(genome.contigs.values()) == {scale.LENGTH}
    table = pd.concat(scale.statistics(220, scale.np.random.default_rng(1)))
    assert len(scale.SUMSTATS.checked(table, "")) == 220


@pytest.mark.slow
def test_scores_with_a_known_shape(module):
    benchmark = module("score_shape")
    score = np.random.default_rng(1).lognormal(size=5000)
    top = score >= np.quantile(score, 0.9)
    odds = benchmark.true_odds(score, benchmark.GRADUAL)
    assert odds[top].mean() / odds[~top].mean() == pytest.approx(10, rel=0.01)
    assert (np.diff(odds[np.argsort(score)]) >= 0).all()
    steep = benchmark.true_odds(score, "top fiftieth, odds 30")
    assert (steep.max(), steep.min(), (steep > 1).mean()) == (30, 1, pytest.approx(0.02))
