"""The exceptions and warnings of influstat: one small tree, one form of sentence.

Every error that a caller can cause names the argument, says what it must be, what it was, and
what to do about it. All of them inherit from `ValueError`, `TypeError`, `ImportError` or `OSError`, so code
that already catches those keeps working.
"""


class InflustatError(Exception):
    """Root of every exception that influstat raises on purpose.

    Examples
    --------
    >>> import influstat as ist
    >>> issubclass(ist.errors.InvalidArgument, (ist.errors.InflustatError, ValueError))
    True
    """


class _ArgumentError(InflustatError):
    """An error about one argument: what it must be, what it was, and the remedy."""

    def __init__(self, argument: str, need: str, value: object, remedy: str) -> None:
        self.argument = argument
        self.need = need
        self.value = value
        self.remedy = remedy
        super().__init__(f"{argument} must {need}, but it {value}. {remedy}")

    def __reduce__(self) -> tuple[type, tuple[str, str, object, str]]:
        """Let the error travel between processes with all four of its parts."""
        return type(self), (self.argument, self.need, self.value, self.remedy)


class InvalidArgument(_ArgumentError, ValueError):
    """An argument has an unusable value.

    Parameters
    ----------
    argument : str
        Name of the argument.
    need : str
        What it must be; completes "<argument> must ...".
    value : str
        What it was; completes "but it ...".
    remedy : str
        What the caller can do, as a sentence.

    Examples
    --------
    >>> import influstat as ist
    >>> print(ist.errors.InvalidArgument("lam", "be at least 0", "is -1.0", "Pass lam=0 for none."))
    lam must be at least 0, but it is -1.0. Pass lam=0 for none.
    """


class InvalidType(_ArgumentError, TypeError):
    """An argument has a type or dtype that cannot be used; the parts are those of `InvalidArgument`.

    Examples
    --------
    >>> import influstat as ist
    >>> ist.Ridge(lam="one")
    Traceback (most recent call last):
    ...
    influstat.errors.InvalidType: lam must be a real number, but it is a str. Pass a float.
    """


class Unsupported(InvalidArgument):
    """A valid object that influstat has no formulas for; the message lists what is supported.

    Examples
    --------
    >>> import influstat as ist
    >>> issubclass(ist.errors.Unsupported, ValueError)
    True
    """


class OutsideDomain(InvalidArgument):
    """A caller's own loss has no value at some coefficients; steps of a minimiser are shortened there.

    Examples
    --------
    >>> import numpy as np
    >>> import influstat as ist
    >>> with np.errstate(invalid="ignore"):
    ...     ist.NumericalLoss(lambda y, eta: np.log(eta)).value(1.0, -1.0)
    Traceback (most recent call last):
    ...
    influstat.errors.OutsideDomain: function must give a number, but it gives nan at y = 1, eta = -1. ...
    """


class NotStationary(InvalidArgument):
    """The coefficients do not minimise the risk: every influence would be wrong.

    Examples
    --------
    >>> import influstat as ist
    >>> issubclass(ist.errors.NotStationary, ValueError)
    True
    """


class NoMinimiser(InflustatError, ValueError):
    """The risk has no finite minimiser (separable classes without a penalty, for example).

    Examples
    --------
    >>> import influstat as ist
    >>> issubclass(ist.errors.NoMinimiser, ValueError)
    True
    """


class NotConverged(InflustatError, ValueError):
    """A step limit was reached before the required accuracy.

    Examples
    --------
    >>> import influstat as ist
    >>> issubclass(ist.errors.NotConverged, ValueError)
    True
    """


class Diverged(InflustatError, ValueError):
    """An iteration grows without bound; the message gives the setting that would converge.

    Examples
    --------
    >>> import influstat as ist
    >>> issubclass(ist.errors.Diverged, ValueError)
    True
    """


class SingularHessian(InflustatError, ValueError):
    """The Hessian has no inverse: some direction of the coefficients is not determined.

    Examples
    --------
    >>> import influstat as ist
    >>> issubclass(ist.errors.SingularHessian, ValueError)
    True
    """


class IndefiniteHessian(InflustatError, ValueError):
    """The Hessian has a negative eigenvalue: the point is not a minimum.

    Examples
    --------
    >>> import influstat as ist
    >>> issubclass(ist.errors.IndefiniteHessian, ValueError)
    True
    """


class MissingDependency(InflustatError, ImportError):
    """An optional package is not installed; the message gives the extra that brings it.

    Examples
    --------
    >>> import influstat as ist
    >>> issubclass(ist.errors.MissingDependency, ImportError)
    True
    """


class DatasetError(InflustatError, ValueError):
    """A data file is missing or does not match its recorded checksum.

    Examples
    --------
    >>> import influstat as ist
    >>> issubclass(ist.errors.DatasetError, ValueError)
    True
    """


class DoubtfulResult(UserWarning):
    """A usable but doubtful result; the message says how to settle the doubt.

    Examples
    --------
    >>> import influstat as ist
    >>> issubclass(ist.errors.DoubtfulResult, UserWarning)
    True
    """


class PartitionError(InflustatError, OSError):
    """A partition could not be read, or its answer not written; the message names it.

    Examples
    --------
    >>> import influstat as ist
    >>> issubclass(ist.errors.PartitionError, OSError)
    True
    """
