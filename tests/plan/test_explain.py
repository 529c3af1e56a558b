import re
from collections import Counter
from pathlib import Path

import pytest

from fineprior.plan.dry_run import Plan, PlannedJob
from fineprior.plan.explain import Change, changes, explanation
from fineprior.plan.provenance import LAST_MODULES, PACKAGE_ROOT, module_digests
from fineprior.project.settings import FinemapSettings, Settings, as_params

RULES = "".join(path.read_text() for path in (Path(__file__).parents[2] / "workflow/rules").glob("*.smk"))
FINEMAP = as_params(FinemapSettings())
NOW = FINEMAP | {"coverage": 0.9}
OLD_CODE, NEW_CODE = "0123456789ab", "ba9876543210"


def job(rule, wildcards="", before=(), now=(), **causes):
    name = f"results/{rule}/{wildcards}"
    return PlannedJob(rule, wildcards, ["in"], [name], causes, list(before), list(now))


def lines(tmp_path, *jobs, project=None, others=()):
    counts = Counter(others) + Counter(one.rule for one in jobs)
    return explanation(Plan(list(jobs), counts, PACKAGE_ROOT.parent, project), tmp_path)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ([FINEMAP], [NOW], ["finemap.coverage: 0.95 -> 0.9"]),
        ([1, FINEMAP], [NOW, 2], ["finemap.coverage: 0.95 -> 0.9", "a value: 1 -> 2"]),
        ([OLD_CODE], [NEW_CODE], []),
        ([["a", "b"]], [["a", "c"]], ["now with c and without b"]),
        ([["a", "b"]], [["b", "a"]], ["now in another order"]),
        ([], ["x"], ["a value: nothing -> x"]),
        ([{"mine": {"z": "a"}}], [{"mine": {"z": "b"}}], ["mine.z: a -> b"]),
        ([as_params(Settings())], [as_params(Settings(seed=3))], ["seed: 1 -> 3"]),
        (
            [{"studies": [{"study": "a", "n": 1.0}], "tracks": []}],
            [{"studies": [{"study": "b"}, {"study": "a", "n": 2.0}], "tracks": []}],
            ["studies.tsv, study b: not there -> there", "studies.tsv, study a.n: 1.0 -> 2.0"],
        ),
    ],
)
def test_changes_have_their_names_where_these_can_be_told(before, now, expected):
    assert [str(change) for change in changes(before, now)] == expected


def test_nothing_to_run_says_so(tmp_path):
    assert lines(tmp_path, others={"all": 1, "finemap": 6}) == [
        "Nothing would run: the results of all 6 jobs are there and up to date."
    ]


def test_rules_have_their_reasons_and_those_that_stay_are_named(tmp_path):
    first = job("finemap", "batch=0", [FINEMAP], [NOW], updated=["ld/0.npz"])
    second = job("finemap", "batch=1", [FINEMAP], [NOW])
    gather = job("gather", "", made=first.output + second.output)
    found = lines(tmp_path, first, second, gather, job("all"), others={"compute_ld": 2, "gather": 1})
    assert found == [
        "3 of 6 jobs would run.",
        "",
        "Would run:",
        "  finemap, 1 of 2 jobs (batch=0): finemap.coverage: 0.95 -> 0.9; changed: ld/0.npz",
        "  finemap, 1 of 2 jobs (batch=1): finemap.coverage: 0.95 -> 0.9",
        "  gather, 1 of 2 jobs: reads what finemap would make",
        "",
        "Would not run: compute_ld (2), gather (1).",
    ]


def test_what_only_the_whole_project_tells_by_name_is_named_everywhere(tmp_path):
    everything = as_params(Settings())
    project = job(
        "provenance", "", [everything, {"finemap": OLD_CODE}], [everything | {"seed": 7}, {"finemap": NEW_CODE}]
    )
    found = lines(tmp_path, job("fit_prior", "", [1], [7]), job("finemap", "", [OLD_CODE], [NEW_CODE]), project=project)
    assert found[2:5] == ["Not as in the last whole run:", "  seed: 1 -> 7", "  code: changed, behind finemap"]
    assert "  fit_prior, 1 job: seed: 1 -> 7" in found
    assert "  finemap, 1 job: its code changed" in found


@pytest.mark.slow
def test_modules_that_changed_are_named_behind_the_rules_that_import_them(tmp_path):
    known = {name: "0" for name in ("finemap/susie.py", "report/plots.py", "genome/loci.py")}
    path = tmp_path / LAST_MODULES
    path.parent.mkdir(parents=True)
    digests = module_digests() | known
    path.write_text("module\tdigest\n" + "".join(f"{name}\t{digest}\n" for name, digest in digests.items()))
    rules = ("finemap", "report", "compute_ld", "list_loci")
    found = lines(tmp_path, *(job(rule, "", [OLD_CODE], [NEW_CODE]) for rule in rules))
    assert found[3:7] == [
        "  finemap, 1 job: its code changed (finemap/susie.py)",
        "  report, 1 job: its code changed (report/plots.py)",
        "  compute_ld, 1 job: its code changed",
        "  list_loci, 1 job: its code changed (genome/loci.py)",
    ]


@pytest.mark.parametrize(
    ("causes", "words"),
    [
        ({"missing": ["b", "a"]}, "not there: a, b"),
        ({"missing": list("edcba")}, "not there: a, b, c and 2 more"),
        ({"incomplete": ["a"]}, "a run was stopped that wrote a"),
        ({"script": []}, "scripts/finemap.py is newer than its results"),
        ({"software": []}, "its software environment (conda, container) is another one"),
        ({"other_inputs": []}, "reads other files than before"),
        ({"forced": []}, "forced"),
        ({"params": []}, "a setting changed, and which cannot be told"),
        ({}, "Snakemake gives no reason"),
    ],
)
def test_each_reason_has_its_words(tmp_path, causes, words):
    assert lines(tmp_path, job("finemap", **causes))[3] == f"  finemap, 1 job: {words}"


def test_a_rule_made_of_another_has_the_script_of_that_one(tmp_path):
    made = re.findall(r"^use rule (\w+) as (\w+)", RULES, flags=re.MULTILINE)
    assert made
    for rule, derived in made:
        assert f"scripts/{rule}.py is newer" in lines(tmp_path, job(derived, script=[]))[3]


def test_a_change_is_read_as_a_sentence():
    assert str(Change("finemap.model", "susie", "")) == "finemap.model: susie -> empty"
