"""Names of the priors, and inputs that come once for each."""

from fineprior.plan.results import PRIORS, all_priors, under_each_prior


def test_controls_add_priors():
    assert all_priors([]) == list(PRIORS)
    assert all_priors(["tss"]) == [*PRIORS, "tss"]


def test_inputs_of_each_prior_with_those_of_every_study_first():
    names = ["tss", "shuffled", "functional", "uniform"]
    inputs = {f"variants_{name}": f"{name}.tsv" for name in names} | {"status_uniform": "s.tsv"}
    found = under_each_prior(inputs, "variants")
    assert list(found) == [*PRIORS, "tss"]
    assert found["tss"] == "tss.tsv"
