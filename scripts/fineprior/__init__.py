"""fineprior: sequence-model priors for fine-mapping."""

__version__ = "0.1.0"
