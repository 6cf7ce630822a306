"""scikit-learn: BernoulliRBM, whose visible units are the left side."""

from checks import Check
from sklearn.neural_network import BernoulliRBM

PACKAGES = ("scikit-learn",)


def machine(i):
    n, rbm = len(i["W"]), BernoulliRBM(n_components=i["W"].shape[1])
    rbm.components_, rbm.intercept_visible_, rbm.intercept_hidden_ = i["W"].T, i["a"][:n], i["a"][n:]
    return rbm, i["z"][:, :n]


def free_energy(i):
    rbm, left = machine(i)
    return {"free_energy": rbm._free_energy(left), "p_right": rbm.transform(left)}


CHECKS = (Check("free_energy", "`BernoulliRBM._free_energy` and `.transform`", free_energy),)
FOUND = ()
