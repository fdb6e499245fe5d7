"""Tests of influstat; a package, so that test files can share `tests.cases` and `tests.reference`."""
