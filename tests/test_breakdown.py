"""How few rows flip a conclusion: numbers known for bundled data, exact cases, results and bad input."""

import numpy as np
import pytest
import statsmodels.api as sm

import influstat as ist
from influstat.errors import InvalidArgument, InvalidType, NotStationary, Unsupported
from influstat.sets.proofs.quick import Quick
from influstat.sets.null_fit import null_fit
from influstat.sets.question import coefficient_of, question
from tests.statsmodels_data import bundled
