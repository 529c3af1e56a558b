"""Settings of the data agree with one another."""

from fineprior.project.data_settings import HarmoniseSettings, LdSettings, LociSettings
from fineprior.project.schemas import rule_of
from fineprior.project.settings import Settings


def test_a_window_to_both_sides_fits_into_the_largest_locus():
    assert 2 * LociSettings().flank <= LociSettings().max_width


def test_strands_are_inferred_below_the_frequency_at_which_both_alleles_are_as_common():
    assert HarmoniseSettings().palindromic_max_maf < rule_of(HarmoniseSettings, "palindromic_max_maf").at_most == 0.5


def test_they_are_blocks_of_the_config():
    settings = Settings()
    assert (settings.harmonise, settings.loci, settings.ld) == (HarmoniseSettings(), LociSettings(), LdSettings())
