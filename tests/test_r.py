"""R reads what a run leaves: resources/fineprior.R, the vignette, susieR and what coloc asks of a fit."""

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from fineprior.files import tables
from fineprior.finemap.fits import FitFiles
from small_study import CAUSAL, P, write_results
from workflow_runs import ROOT

pytestmark = pytest.mark.slow
LOCUS, EMPTY = CAUSAL
VIGNETTE = ROOT / "docs/fineprior-in-r.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    if shutil.which("Rscript") is None:
        pytest.skip("no Rscript")
    folder = tmp_path_factory.mktemp("r")
    write_results(folder, "embedded")
    write_results(folder, "second", seed=2, causal={LOCUS: {8: 7.0}, EMPTY: {}})
    (folder / "resources").mkdir()
    shutil.copy(ROOT / "resources/fineprior.R", folder / "resources")
    return folder


def in_r(folder, code, package="", first='source("resources/fineprior.R"); '
         'result <- read_fineprior("results", "embedded");'):  # fmt: skip
    """What R prints, word by word."""
    needed = f"if (!suppressWarnings(requireNamespace('{package}', quietly = TRUE))) quit(status = 77);"
    done = subprocess.run(["Rscript", "--vanilla", "-e", (needed if package else "") + first + code], cwd=folder,
                          capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode == 77:
        pytest.skip(f"no R package {package}")
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_vignette_runs(folder):
    blocks = re.findall(r"^```r\n(.*?)^```", VIGNETTE.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    (folder / "vignette.R").write_text("\n".join(blocks))
    done = subprocess.run(
        ["Rscript", "--vanilla", "vignette.R"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "locus.pdf").stat().st_size > 3000
    assert "The scores carry information." in done.stdout


def test_read_delim_needs_no_arguments(folder):
    """The types that R guesses are those of docs/outputs.md, or what the vignette says of text without text."""
    classes = {"text": ("character", "logical"), "integer": ("integer",), "number": ("numeric", "integer", "logical"),
               "flag": ("logical",)}  # fmt: skip
    files = {"loci.tsv": tables.LOCI, "comparison.tsv": tables.COMPARISON, "prior/verdict.tsv": tables.VERDICT,
             "functional/variants.tsv.gz": tables.FINEMAP_VARIANTS, "functional/loci_status.tsv": tables.LOCI_STATUS,
             "functional/credible_sets.tsv": tables.CREDIBLE_SETS}  # fmt: skip
    code = "".join(f"cat(sapply(read.delim('results/embedded/{file}'), class), '\\n');" for file in files)
    words = iter(in_r(folder, code, first=""))
    for file, table in files.items():
        for column in table.columns:
            allowed = (*classes[column.kind], *(["integer"] if column.name == "chrom" else []))
            assert next(words) in allowed, f"{file}: {column.name}"
    one_chromosome = in_r(folder, "cat(class(read.delim('results/embedded/functional/credible_sets.tsv')$chrom),"
                          "class(result$credible_sets$chrom), class(result$variants$alt), unique(result$variants$alt),"
                          "class(result$variants$ld_flag), class(read.delim(text = 'a\\nT')$a))")  # fmt: skip
    assert one_chromosome == ["integer", "character", "character", "T", "character", "logical"]


def test_functions_give_what_the_tables_hold(folder):
    sets = tables.main_sets(tables.CREDIBLE_SETS.read(folder / "results/embedded/functional/credible_sets.tsv"))
    assert set(sets["locus"]) == {LOCUS}
    assert len(sets) == 2
    variants = tables.FINEMAP_VARIANTS.read(folder / "results/embedded/functional/variants.tsv.gz")
    printed = in_r(folder, "rows <- credible_set_table(result); cat(nrow(rows), anyNA(rows), sprintf('%.4f', "
                   "tapply(rows$posterior, rows$credible_set, sum)), names(result$fits),"
                   "nrow(result$variants))")  # fmt: skip
    assert printed[:2] == [str(sets["variants"].sum()), "FALSE"]
    expected = variants[variants["credible_set"].notna()].groupby("credible_set")["pip"].sum()
    assert [float(word) for word in printed[2:4]] == pytest.approx(expected.to_list(), abs=1e-4)
    without = "for (i in seq_along(result$fits)) result$fits[[i]]$search <- NULL; rows <- credible_set_table(result);"
    printed_without = in_r(folder, f"{without} cat(sprintf('%.4f', tapply(rows$posterior, rows$credible_set, sum)))")
    fit, ids = FitFiles([folder / "results/embedded/finemap/functional/0.fits.npz"])[LOCUS]
    sums = [fit.alpha[int(name[1:]) - 1, [ids.index(one) for one in members.split(",")]].sum()
            for name, members in sets.sort_values("credible_set")[["credible_set", "variant_ids"]]
            .to_numpy()]  # fmt: skip
    assert [float(word) for word in printed_without] == pytest.approx(sums, abs=1e-4)
    assert printed[4:] == [LOCUS, EMPTY, str(2 * P)]
    uniform = pd.read_csv(folder / "results/embedded/uniform/variants.tsv.gz", sep="\t")
    printed = in_r(folder, "cat(sum(read_fineprior('results', 'embedded', 'uniform')$variants$pip))")
    assert float(printed[0]) == pytest.approx(uniform["pip"].sum(), rel=1e-5)


def test_genes_of_sets(folder, tmp_path):
    """Sums of PIPs by nearest gene; and nothing, with a message, where there are no genes."""
    results = tmp_path / "results/embedded"
    shutil.copytree(folder / "results/embedded", results)
    path = results / "functional/variants.tsv.gz"
    variants = tables.FINEMAP_VARIANTS.read(path)
    variants["gene"] = np.where(variants["pos"] < 20_000, "T", "NXN")  # a name that read.delim takes for TRUE
    variants["gene_distance"] = variants["pos"] % 700
    variants["consequence"] = [f"c{i}" for i in range(len(variants))]
    tables.FINEMAP_VARIANTS.write(variants, path)
    code = "rows <- gene_table(result); cat(rows$gene, rows$variants, sprintf('%.4f', rows$pip), rows$distance," \
           "rows$lead_variant, rows$consequence, is.null(result$genes))"  # fmt: skip
    own = 'source("{}"); result <- read_fineprior("results", "embedded");'.format(ROOT / "resources/fineprior.R")
    printed = in_r(tmp_path, code, first=own)
    members = variants[variants["credible_set"].notna()]
    expected = [rows for _, rows in members.groupby(["credible_set", "gene"])]
    expected.sort(key=lambda rows: (rows["credible_set"].iloc[0], -rows["pip"].sum()))
    leads = [rows.loc[rows["pip"].idxmax()] for rows in expected]
    columns = [
        [lead["gene"] for lead in leads], [str(len(rows)) for rows in expected],
        [f"{rows['pip'].sum():.4f}" for rows in expected], [f"{rows['gene_distance'].min():.0f}" for rows in expected],
        [lead["variant_id"] for lead in leads], [lead["consequence"] for lead in leads], ["TRUE"],
    ]  # fmt: skip
    assert printed == [word for column in columns for word in column]
    none = in_r(folder, "told <- tryCatch(gene_table(result), message = conditionMessage); cat(told)")
    assert " ".join(none) == "embedded: no genes; set genome.genes in the config"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("read_fineprior('results', 'none')", "no study 'none' in results"),
        ("read_fineprior('results', 'embedded', 'flat')", "no prior 'flat' in results/embedded; allowed: uniform"),
        ("plot_locus(result, 'nowhere')", "no locus 'nowhere' in embedded"),
        ("read_fineprior_table('none.tsv')", "no file none.tsv"),
    ],
)
def test_mistakes_are_told(folder, code, message):
    printed = in_r(folder, f"cat(conditionMessage(tryCatch({code}, error = identity)))")
    assert " ".join(printed).startswith(message)


def test_susier_takes_the_fits(folder):
    printed = in_r(
        folder,
        "suppressMessages(library(susieR)); fit <- result$fits[[1]];"
        "stopifnot(inherits(fit, 'susie'), all.equal(susie_get_pip(fit), fit$pip, check.attributes = FALSE));"
        "pdf('s.pdf'); susie_plot(fit, 'PIP'); susie_plot(fit, 'z'); dev.off();"
        "cat(nrow(summary(fit)$cs), length(fit$sets$cs), all(unlist(fit$sets$cs) %in%"
        "    unlist(susie_get_cs(fit, coverage = fit$sets$requested_coverage)$cs)))",
        "susieR",
    )
    assert printed[-3:] == ["2", "2", "TRUE"]


def test_a_locus_has_what_coloc_susie_reads(folder):
    """coloc.susie: class susie, sets$cs, sets$cs_index, columns of lbf_variable, alpha and pip named by variants."""
    code = (
        "fit <- to_coloc(result, result$loci$locus[1]); ids <- result$variants$variant_id[1:COUNT];"
        "stopifnot('susie' %in% class(fit), length(fit$sets$cs) == 2, is.numeric(fit$sets$cs_index),"
        "  identical(colnames(fit$lbf_variable), ids), identical(colnames(fit$alpha), ids),"
        "  identical(names(fit$pip), ids), all(is.finite(fit$lbf_variable[fit$sets$cs_index, , drop = FALSE])),"
        "  all(names(fit$sets$cs[[1]]) == ids[fit$sets$cs[[1]]]));"
        "named <- result; dimnames(named$fits[[1]]$alpha)[[2]] <- paste0('chr', ids);"
        "stopifnot(identical(colnames(to_coloc(named, result$loci$locus[1])$alpha), ids));"
        "cat(is.null(suppressMessages(to_coloc(result, result$loci$locus[2]))))"
    ).replace("COUNT", str(P))
    assert in_r(folder, code) == ["TRUE"]


def test_coloc_runs_on_two_studies(folder):
    printed = in_r(
        folder,
        "other <- read_fineprior('results', 'second'); locus <- result$loci$locus[1];"
        "found <- coloc::coloc.susie(to_coloc(result, locus), to_coloc(other, locus))$summary;"
        "cat(max(found$PP.H4.abf), found$hit1[which.max(found$PP.H4.abf)])",
        "coloc",
    )
    assert float(printed[-2]) > 0.8
    assert printed[-1].startswith("1:9001:")
