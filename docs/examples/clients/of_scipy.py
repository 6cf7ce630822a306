"""scipy.stats: the laws of the smoothings."""

from checks import Check
from scipy import stats

PACKAGES = ("scipy",)


def smoothing(law):
    """law(beta) -> r(zeta|0) and r(zeta|1) as (distribution, does it run from 1 down to 0)."""

    def answer(i):
        (zero, _), (one, mirrored) = law(float(i["beta"]))
        zeta = i["zeta"]
        log_r0, log_r1 = zero.logpdf(zeta), one.logpdf(1 - zeta if mirrored else zeta)
        cdf1 = one.sf(1 - zeta) if mirrored else one.cdf(zeta)
        return {
            "log_r0": log_r0,
            "log_r1": log_r1,
            "b": log_r1 - log_r0,
            "c": log_r0,
            "cdf0": zero.cdf(zeta),
            "cdf1": cdf1,
        }

    return answer


def exponential(beta):
    law = stats.truncexpon(b=beta, scale=1 / beta)
    return (law, False), (law, True)


def power(beta):
    law = stats.beta(1 / beta, 1)
    return (law, False), (law, True)


def gaussian(beta):
    return (stats.norm(0, beta**-0.5), False), (stats.norm(1, beta**-0.5), False)


CHECKS = (
    Check("smoothing_exp", "`truncexpon(beta, scale=1/beta)`: densities and CDFs", smoothing(exponential)),
    Check("smoothing_power", "`beta(1/beta, 1)`: densities and CDFs", smoothing(power)),
    Check("smoothing_gauss", "`norm(z, beta**-0.5)`: densities and CDFs", smoothing(gaussian)),
)
FOUND = ()
