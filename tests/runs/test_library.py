"""A trained run from Python, and training on arrays: the numbers of the commands, and words for what does not fit."""

import json
import shutil

import numpy as np
import pytest
from small_run import SMALL_RUN

import dvae_ref
from dvae_ref import cli, commands, tree
from dvae_ref.files import npz
from dvae_ref.model import autoencoder
from dvae_ref.runs import datasets, library, lifecycle, roles
from dvae_ref.sampling import AISResult, gibbs, pcd, philox
from dvae_ref.theory.elementary import sigmoid

QUICK = ("--samples", "20", "--images", "10", "--temperatures", "20", "--ais-chains", "30", "--threads", "1")


@pytest.fixture(scope="module")
def bundled():
    return datasets.load("mnist5k")


@pytest.fixture(scope="module")
def settings():
    given = vars(cli.build_parser().parse_args(["train", *SMALL_RUN]))
    return dvae_ref.Settings(**{f: given[f] for f in dvae_ref.Settings.__dataclass_fields__ if f in given})


def same(one, other):
    pairs = zip(tree.items(one), tree.items(other), strict=True)
    return all(a == b and x.dtype == y.dtype and np.array_equal(x, y) for (a, x), (b, y) in pairs)


def test_training_in_python_is_the_command_s(straight, settings, bundled):
    """Its parameters and its records, to the byte."""
    records = []
    model = dvae_ref.train(settings, bundled.train, validation=bundled.validation, on_record=records.append)
    last = dvae_ref.load_run(straight[0], "last")
    assert model.iteration == last.iteration == 200
    assert same((model.params, model.statistics), (last.params, last.statistics))
    lines = [json.loads(line) for line in (straight[0] / "metrics.jsonl").read_text().splitlines()]
    assert json.loads(json.dumps(records)) == lines


def test_control_other_images_are_another_model(straight, settings, bundled):
    fewer = dvae_ref.Settings(**{**settings.to_json(), "num_train_iter": 20})
    one, other = (dvae_ref.train(fewer, images) for images in (bundled.train, bundled.train[::-1]))
    assert not same(one.params, other.params)


def test_grey_images_are_binarized_anew(settings, bundled):
    dataset = library.as_dataset(bundled.train / np.float32(2), None)
    assert dataset.dynamic
    assert set(np.unique(datasets.batch(dataset, 0, 0, 5))) == {0, 1}
    assert not library.as_dataset(bundled.train, None).dynamic


def test_a_loaded_run_measures_as_evaluate_does(straight, bundled, tmp_path):
    folder = shutil.copytree(straight[0], tmp_path / "run")
    assert cli.main(["evaluate", "--run-dir", str(folder), *QUICK]) == 0
    record, per_image = json.loads((folder / "evaluation.json").read_text()), npz.read(folder / "log_px.npz")
    model = dvae_ref.load_run(folder)
    z = model.log_z(temperatures=20, chains=30)
    assert z.log_z == record["log_z"]
    found = model.log_likelihood(bundled.test[:10], samples=20, log_z=z.log_z)
    np.testing.assert_array_equal(found.log_px, per_image["log_px"])


def test_samples_are_those_of_the_command(straight):
    _, state = lifecycle.load(straight[0])
    images = dvae_ref.load_run(straight[0]).sample(5, sweeps=20)
    assert np.array_equal(images, commands.prior_images(roles.keys(0)["sample"], state, 5, 20))
    assert images.shape == (5, 784)
    assert np.all((images >= 0) & (images <= 1))


def test_samples_are_chains_from_random_states_decoded():
    """With keys of their own for the states and the sweeps."""
    model, key = dvae_ref.teaching_model(), roles.keys(3)["sample"]
    begun = pcd.init(philox.fold_in(key, 0), model.params.rbm, 4)
    swept = gibbs.sweep_reference(philox.fold_in(key, 1), begun, model.params.rbm, 5)
    expected = sigmoid(autoencoder.decode_discrete(model.params, model.statistics, swept.z))
    np.testing.assert_array_equal(model.sample(4, sweeps=5, seed=3), expected)


def test_arrays_are_a_dataset_with_their_own_mean():
    """Of binary images, and of grey ones, which are binarized anew for every batch; ends of the range are in it."""
    train, held_out = np.array([[0, 1, 1], [0, 0, 1.0]]), np.array([[1, 0, 1.0]])
    for images, dynamic in ((train, False), (np.where(train > 0, 0.5, 0.0), True)):
        found = library.as_dataset(images, held_out)
        np.testing.assert_array_equal(found.mean_x, images.mean(0))
        assert found.mean_x.dtype == np.float32
        assert found.dynamic == dynamic
        assert [found.validation.tolist(), found.test.tolist()] == [held_out.tolist()] * 2
    assert library.as_dataset(train, None).validation.shape == (0, 3)
    for pixel in (0.5, 2, -1):
        with pytest.raises(ValueError, match=r"validation must (hold binary images|have pixels in \[0, 1\])"):
            library.as_dataset(train, held_out * pixel)


def test_images_are_encoded_and_decoded(straight, bundled):
    model, x = dvae_ref.load_run(straight[0], "last"), bundled.test[:20]
    z, means = model.encode(x), model.reconstruct(x)
    assert (z.shape, means.shape) == ((20, 200), (20, 784))
    assert set(np.unique(z)) <= {0, 1}
    right, other = (np.mean(np.abs(means - images)) for images in (x, np.roll(x, 1, 0)))
    assert right < other  # each is nearer its own image
    assert np.array_equal(z, model.encode(x))
    assert not np.array_equal(z, model.encode(x, seed=1))


def test_a_linear_model_encodes_and_decodes_by_its_formulas():
    """z = [u < q], q of the images less the training's mean; E[x|z] begins at that mean's log odds. Not
    where u is within rounding of q, which float32 leaves good to 1e-5."""
    model, images = dvae_ref.teaching_model(), dvae_ref.teaching_images()[1][:50]
    encoder, decoder, mean_x = model.params.encoder[0].out, model.params.decoder.out, model.statistics.mean_x
    q = 1 / (1 + np.exp(-(np.float64(images - mean_x) @ encoder.kernel + encoder.bias)))
    u = philox.uniform(roles.keys(4)["encode"], q.shape)
    clear, z = np.abs(u - q) > 1e-5, model.encode(images, seed=4)
    np.testing.assert_array_equal(z[clear], (u < q)[clear])
    assert np.mean(clear) > 0.99
    mean = np.clip(np.float64(mean_x), 0.001, 0.999)
    means = 1 / (1 + np.exp(-(np.float64(z) @ decoder.kernel + decoder.bias)) * (1 - mean) / mean)
    np.testing.assert_allclose(model.reconstruct(images, seed=4), means, atol=1e-5)


def test_what_does_not_fit_is_said_with_shapes(straight, settings, bundled):
    model, x = dvae_ref.load_run(straight[0], "last"), bundled.test[:2]
    with pytest.raises(ValueError, match=r"images must have the shape \(B, 784\), B >= 1; got \(2, 783\)"):
        model.encode(x[:, 1:])
    with pytest.raises(ValueError, match=r"images must have pixels in \[0, 1\]; got int64, 0 to 255"):
        model.reconstruct(x.astype(int) * 255)
    with pytest.raises(ValueError, match=r"images must have pixels in \[0, 1\]; got float64, -0.5 to 1.0"):
        model.reconstruct(np.where(x > 0, 1.0, -0.5))
    with pytest.raises(ValueError, match=r"images must have pixels in \[0, 1\]; got float64, 0.0 to 1.5"):
        model.reconstruct(np.where(x > 0, 1.5, 0.0))
    with pytest.raises(ValueError, match="binary images"):
        model.log_likelihood(x / 2, log_z=0.0)
    with pytest.raises(TypeError, match="log_z must be one number; got AISResult"):
        model.log_likelihood(x, samples=2, log_z=AISResult(1.0, 0.1, 2.0, x[0]))
    with pytest.raises(TypeError, match="samples must be a whole number; got '2'"):
        model.log_likelihood(x, samples="2", log_z=0.0)
    with pytest.raises(TypeError, match="settings must be a Settings; got ndarray"):
        dvae_ref.train(x, settings)
    with pytest.raises(ValueError, match=r"images must have the shape \(B, V\), B >= 1; got \(784,\)"):
        dvae_ref.train(settings, x[0])
    with pytest.raises(ValueError, match=r"validation must have the shape \(B, 784\)"):
        dvae_ref.train(settings, bundled.train, validation=x[:, :5])
    with pytest.raises(ValueError, match="validation must hold binary images"):
        dvae_ref.train(settings, bundled.train, validation=x / 2)
    with pytest.raises(ValueError, match="batch size 20; expected 1 to 2"):
        dvae_ref.train(settings, x)
    with pytest.raises(ValueError, match="checkpoint must be 'best' or 'last', got 'first'"):
        dvae_ref.load_run(straight[0], "first")
    for wrong in (x.astype(str), x.astype(object), x + 0j, np.ma.masked_array(x, x == 0)):
        with pytest.raises(TypeError, match="images must be an array of real numbers; got"):
            model.encode(wrong)
    for number in (0, 2.5, 10**13):
        with pytest.raises(ValueError, match=r"number must be a whole number|10,000,000,000,000 images would take"):
            model.sample(number)
    for nowhere in (straight[0] / "nowhere", straight[0] / "config.json", ""):
        with pytest.raises(FileNotFoundError, match=r"no run in .+: there is no config.json"):
            dvae_ref.load_run(nowhere)


def test_a_model_says_what_it_is_in_a_line(straight):
    assert repr(dvae_ref.load_run(straight[0], "last")) == (
        "<Trained dvaes_power 1-layer-nonlin, K = 1, 200 iterations, seed 3>"
    )
