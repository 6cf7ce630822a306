"""The model that comes with the package: it is what data/README.md says, small, whole, and worth something."""

import hashlib
import re
from importlib import resources

import numpy as np
import pytest

import dvae_ref
from dvae_ref import tree
from dvae_ref.files import npz
from dvae_ref.runs import teaching

DATA = resources.files("dvae_ref") / "data"
PAGE = (DATA / "README.md").read_text()


@pytest.fixture(scope="module")
def model():
    return dvae_ref.teaching_model()


def told(pattern):
    """A number of the page."""
    return float(re.search(pattern, PAGE).group(1))


def nll(model, images, log_z):
    return -float(model.log_likelihood(images, samples=200, log_z=log_z).log_px.mean())


def test_the_file_is_small_and_the_one_that_is_told_of():
    content = (DATA / "teaching.npz").read_bytes()
    assert len(content) < 300_000
    assert hashlib.sha256(content).hexdigest() == teaching.SHA256
    assert teaching.SHA256 in PAGE


def test_another_file_is_refused(monkeypatch):
    monkeypatch.setattr(teaching, "SHA256", "0" * 64)
    with pytest.raises(ValueError, match=r"teaching\.npz"):
        teaching.teaching_model()


def test_images_are_the_bundled_digits_made_smaller():
    train, test = dvae_ref.teaching_images()
    assert (train.shape, test.shape, train.dtype) == ((4500, 196), (500, 196), np.float32)
    assert set(np.unique(train)) == {0.0, 1.0}
    grey = npz.read(DATA / "mnist5k.npz")["images"][4500].reshape(28, 28)
    by_hand = [grey[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean() > 127.5 for i in range(14) for j in range(14)]
    assert test[0].tolist() == by_hand


def test_pixels_are_on_where_four_add_up_to_more_than_510():
    """Of all images, in whole numbers; some are at 510, which is a half and no more."""
    grey = npz.read(DATA / "mnist5k.npz")["images"].reshape(-1, 28, 28).astype(int)
    four = grey[:, ::2, ::2] + grey[:, 1::2, ::2] + grey[:, ::2, 1::2] + grey[:, 1::2, 1::2]
    assert {508, 509, 510, 511, 512} < set(np.unique(four))
    found = np.concatenate(dvae_ref.teaching_images())
    np.testing.assert_array_equal(found, (four > 510).reshape(-1, 196))


def test_it_is_trained_on_the_training_images(monkeypatch):
    monkeypatch.setattr(teaching.library, "train", lambda *given: given)
    settings, images = teaching.make()
    assert settings == teaching.SETTINGS
    np.testing.assert_array_equal(images, dvae_ref.teaching_images()[0])


def test_it_is_worth_what_is_told(model):
    """40 images of 500: within 4 standard errors, and a nat for 200 samples in place of 4,000. Control:
    a decoder that forgot its kernel is worse by far."""
    images, log_z = dvae_ref.teaching_images()[1][:40], told(r"log Z = ([\d.]+)")
    expected = told(r"test NLL of ([\d.]+)")
    found = model.log_likelihood(images, samples=200, log_z=log_z).log_px
    assert abs(-found.mean() - expected) < 4 * found.std() / np.sqrt(40) + 1
    forgot = model.params.decoder.out._replace(kernel=model.params.decoder.out.kernel * 0)
    worse = dvae_ref.Trained(
        model.settings,
        model.params._replace(decoder=model.params.decoder._replace(out=forgot)),
        model.statistics,
        model.iteration,
    )
    assert nll(worse, images, log_z) > expected + 10


def test_log_z_is_the_one_that_is_told(model):
    found = model.log_z(temperatures=1000, chains=100)
    assert abs(found.log_z - told(r"log Z = ([\d.]+)")) < 5 * found.standard_error + 0.05


def test_what_is_loaded_is_saved_again_as_it_was(model, tmp_path):
    teaching.save(model, tmp_path / "again.npz")
    again, bundled = npz.read(tmp_path / "again.npz"), npz.read(teaching._path("teaching.npz"))
    assert list(again) == list(bundled)
    for name, array in again.items():
        assert array.dtype == np.float16
        np.testing.assert_array_equal(array, bundled[name])


def test_parameters_are_those_of_float16(model):
    for _, leaf in [*tree.items(model.params), *tree.items(model.statistics)]:
        assert leaf.dtype == np.float32
        assert np.array_equal(leaf, leaf.astype(np.float16))


@pytest.mark.release
def test_it_is_made_again(model, tmp_path):
    """On another CPU the last bits differ and training goes another way: as good a model within 1.5 nats."""
    made = teaching.make()
    teaching.save(made, str(tmp_path / "again.npz"))
    assert (tmp_path / "again.npz").stat().st_size < 300_000
    images = dvae_ref.teaching_images()[1][:200]
    values = [nll(m, images, m.log_z(temperatures=2000, chains=200).log_z) for m in (made, model)]
    assert abs(values[0] - values[1]) < 1.5
