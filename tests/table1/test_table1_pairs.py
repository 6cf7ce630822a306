"""Paired differences: by hand, and on pairs whose differences are known where their NLLs are not."""

import math

import numpy as np
import pytest

from dvae_ref.runs import measuring
from dvae_ref.runs.presets import Settings
from dvae_ref.table1 import differences, grid, page, report
from dvae_ref.table1.pairs import pairs

DIGEST = "0" * 64


def record(log_px, digest=DIGEST, error=0.01, samples=4000, **settings):
    """As `collect` has it, with log p(x) of each image."""
    log_px, one = np.array(log_px, float), np.array(0)
    per_image = measuring.LogPx(log_px, log_px - 1, log_px - 3, one, one, one, one, one, one)
    return {
        "settings": Settings(**{"dataset": "binarized_mnist", "num_train_iter": 50_000} | settings).to_json(),
        "nll": float(-log_px.mean()),
        "best_validation_nll": 85.0,
        "nll_standard_error": 0.25,
        "log_z_standard_error": error,
        "data": "as published",
        "data_sha256": digest,
        "images": len(log_px),
        "images_there": len(log_px),
        **{"samples": samples, "temperatures": 10_000, "ais_chains": 1000},
        **{"checkpoint": "best", "split": "test", "per_image": per_image},
    }


def paired(*records):
    return pairs(report.rows(list(records)))


def test_the_difference_and_its_errors_by_hand():
    """log p(x) differ by 1, 2, 6: d = NLL of the first less that of the second = 3, standard error sqrt(7/3)."""
    base = np.array([-80.0, -120.0, -95.0])
    (pair,) = paired(record(base, error=0.03), record(base + np.array([1, 2, 6]), error=0.04, baseline="dvaes_exp"))
    assert (pair.setting, pair.first.baseline, pair.second.baseline) == ("baseline", "dvaes_exp", "dvaes_power")
    assert pair.difference == pytest.approx(-3)
    assert pair.image_standard_error == pytest.approx(math.sqrt(7 / 3))
    assert pair.log_z_standard_error == pytest.approx(0.05)
    assert math.isnan(pair.run_standard_error)
    assert pair.standard_error == pytest.approx(math.sqrt(7 / 3 + 0.05**2))
    assert pair.z_score == pytest.approx(-3 / pair.standard_error)
    assert pair.difference == pytest.approx(pair.first.nll - pair.second.nll)


def test_seeds_are_averaged_image_by_image():
    """Two seeds each: 0, 2 over the images of the mean; over runs, means 80, 82 and 81, 84: sd sqrt(2), sqrt(4.5)."""
    first = [record([-80.0, -80.0], seed=0), record([-82.0, -82.0], seed=1)]
    second = [record([-81.0, -81.0], seed=0, k=5), record([-82.0, -86.0], seed=1, k=5)]
    (pair,) = paired(*first, *second)
    assert pair.setting == "k"
    assert pair.difference == pytest.approx(81 - 82.5)
    assert pair.image_standard_error == pytest.approx(1)  # of differences -0.5, -2.5
    assert pair.run_standard_error == pytest.approx(math.sqrt(2 / 2 + 4.5 / 2))
    assert pair.log_z_standard_error == pytest.approx(0.01)  # 0.01 / sqrt(2) each
    assert pair.standard_error == pytest.approx(math.sqrt(1 + 3.25 + 0.01**2))


def test_pairing_takes_out_what_images_have_in_common():
    """400 repetitions of 200 images that differ by 20 nats, models by 0.5 +- 1: the z-scores of the truth have rms 1
    (good to 0.035), the error is a 28th of that of two unpaired means. Control: the latter are too large."""
    rng, scores, ratios = np.random.default_rng(3), [], []
    for _ in range(400):
        images = rng.normal(-90, 20, 200)
        (pair,) = paired(record(images, error=0.0), record(images + rng.normal(0.5, 1, 200), error=0.0, sampler="pcd"))
        sign = 1 if pair.first.alike["sampler"] == "pa" else -1
        scores.append((sign * pair.difference - 0.5) / pair.standard_error)
        ratios.append(pair.standard_error / (math.sqrt(2) * 20 / math.sqrt(200)))
    assert 0.9 < np.sqrt(np.mean(np.square(scores))) < 1.1
    assert np.mean(ratios) == pytest.approx(1 / 28.3, rel=0.1)
    assert not 0.9 < np.sqrt(np.mean(np.square(np.multiply(scores, ratios)))) < 1.1


@pytest.mark.parametrize(
    ("other", "setting"),
    [
        ({"k": 5}, "k"),
        ({"baseline": "dvaes_exp"}, "baseline"),
        ({"struct": "1-layer-lin"}, "struct"),
        ({"sampler": "pcd"}, "sampler"),
        ({"k": 5, "baseline": "dvaes_exp"}, None),
        ({"dataset": "omniglot", "digest": "1" * 64}, None),
        ({"k": 5, "digest": "1" * 64}, None),
        ({"digest": "1" * 64}, None),
        ({"samples": 500}, None),
        ({"k": 5, "samples": 500}, None),
        ({"k": 5, "digest": None}, None),
    ],
)
def test_only_what_differs_in_one_setting_over_the_same_images_is_paired(other, setting):
    found = paired(record([-80.0, -90.0]), record([-81.0, -90.0], **other))
    assert [pair.setting for pair in found] == [setting] * (setting is not None)


def test_without_log_px_of_every_run_there_is_no_pair():
    one = record([-80.0, -90.0], seed=1) | {"per_image": None}
    assert not paired(record([-80.0, -90.0]), one, record([-80.0, -91.0], k=5))
    assert len(paired(record([-80.0, -90.0]), record([-80.0, -91.0], k=5))) == 1


def test_one_image_and_equal_models_divide_by_nothing():
    (one,) = paired(record([-80.0]), record([-81.0], k=5))
    assert math.isnan(one.image_standard_error)
    same = record([-80.0, -80.0], error=0.0), record([-80.0, -80.0], error=0.0, k=5)
    (equal,) = paired(*same)
    assert math.isnan(equal.z_score)
    text = page.markdown(report.rows([record([-80.0]), record([-81.0], k=5)]))
    cells = "| binarized_mnist | 1-layer-nonlin, dvaes_power, 50,000 iterations | K = 1 | K = 5"
    assert f"{cells} | -1.00 | – | 0.014 | – | – |\n" in text


def test_what_is_unusual_in_both_rows_is_named():
    """Two lengths of each sampler: their pairs would look alike."""
    rows = [{"sampler": sampler, "num_train_iter": n} for sampler in ("pa", "pcd") for n in (5000, 20_000)]
    text = page.markdown(report.rows([record([-80.0, -91.0], **row) for row in rows]))
    assert "| 1-layer-nonlin, K = 1, dvaes_power | 5,000 | 20,000 |" in text
    assert "| 1-layer-nonlin, K = 1, dvaes_power, sampler pcd | 5,000 | 20,000 |" in text
    assert "| 1-layer-nonlin, K = 1, dvaes_power, 5,000 iterations | pa | pcd |" in text


MODELS = ("dvaepp_power", "dvaes_gauss", "dvaes_exp", "dvaes_power")


def test_three_models_have_a_line_each_pair_and_four_a_square():
    """log p(x) of model n is n(n + 1)/2 higher: differences of the NLL 1, 3, 6; 2, 5; 3. Error: of both log Z alone."""
    base = np.array([-80.0, -120.0])
    runs = [record(base + n * (n + 1) / 2, error=0.03, baseline=model) for n, model in enumerate(MODELS)]
    lines = page.markdown(report.rows(runs)).splitlines()
    start = lines.index(f"binarized_mnist, 1-layer-nonlin, K = 1, 50,000 iterations: {differences.ALL_ERRORS}")
    assert lines[start + 2 : start + 7] == [
        "|  | dvaes_gauss | dvaes_exp | dvaes_power |",
        "|---|--:|--:|--:|",
        "| dvaepp_power | +1.00 ± 0.04 | +3.00 ± 0.04 | +6.00 ± 0.04 |",
        "| dvaes_gauss |  | +2.00 ± 0.04 | +5.00 ± 0.04 |",
        "| dvaes_exp |  |  | +3.00 ± 0.04 |",
    ]
    assert not any("first - second" in line for line in lines)
    text = page.markdown(report.rows(runs[:3]))
    assert differences.ALL_ERRORS not in text
    for pair in ("dvaepp_power | dvaes_gauss | +1.00", "dvaes_gauss | dvaes_exp | +2.00"):
        assert f", 50,000 iterations | {pair} |" in text


@pytest.mark.parametrize("other", [{"samples": 500}, {"digest": "1" * 64}])
def test_models_that_were_measured_twice_have_a_square_each(other):
    """The second took the place of the first, where both are of the same words."""
    runs = [record([-80.0 + n, -90.0], baseline=model) for n, model in enumerate(MODELS)]
    runs += [record([-80.0 + 3 * n, -90.0], baseline=model, **other) for n, model in enumerate(MODELS)]
    text = page.markdown(report.rows(runs))
    assert "| dvaepp_power | +0.50 ± 0.50 | +1.00 ± 1.00 | +1.50 ± 1.50 |" in text
    assert "| dvaepp_power | +1.50 ± 1.50 | +3.00 ± 3.00 | +4.50 ± 4.50 |" in text
    assert ("K = 1, 50,000 iterations, 500 samples: " in text) is ("samples" in other)


def test_a_square_of_one_image_has_no_errors():
    runs = [record([-80.0 + n], baseline=model) for n, model in enumerate(MODELS)]
    assert "| dvaes_exp |  |  | +1.00 ± – |" in page.markdown(report.rows(runs))


def test_settings_whose_pairs_read_alike_are_kinds_of_their_own():
    """A pair of samplers and three of replicas, the same in the same words: four, but no square."""
    changed = [{}, {"sampler": "pcd"}, {"chains": 500}, {"chains": 200}]
    text = page.markdown(report.rows([record([-80.0, -91.0], **settings) for settings in changed]))
    for pair in ("pa | pcd", "chains 1000 | chains 500", "chains 500 | chains 200"):
        assert f"dvaes_power, 50,000 iterations | {pair} | +0.00 |" in text
    assert differences.ALL_ERRORS not in text


def test_the_page_has_them_with_a_word_on_single_runs(tmp_path):
    """From folders: log_px.npz beside evaluation.json."""
    base = np.array([-80.0, -120.0, -95.0])
    for entry in (record(base), record(base + np.array([1, 2, 6]), baseline="dvaes_exp")):
        settings = Settings.from_json(entry["settings"])
        folder = grid.cell(tmp_path, settings).folder
        folder.mkdir(parents=True)
        measured = {"iteration": 50_000, "validated": 50_000, "seed": 0, "log_z": 100.0, "split": "test"}
        found = entry.pop("per_image")
        entry |= measured
        page.writing.write_json(folder / "config.json", settings.to_json())
        page.writing.write_json(folder / "evaluation.json", entry)
        measuring._write_log_px(folder / "log_px.npz", found, entry)
    made, *rest = report.collect(tmp_path)
    assert rest == [[], []]
    text = page.markdown(made)
    cells = "binarized_mnist | 1-layer-nonlin, K = 1, 50,000 iterations | dvaes_exp | dvaes_power"
    assert f"\n| {cells} | -3.00 | 1.528 | 0.014 | – | -2.0 |\n" in text
    assert f"\n- {differences.ONE_RUN}\n" in text
    (folder / "log_px.npz").write_bytes(b"PK")
    assert "log_px.npz" in report.collect(tmp_path)[2][0].reason
