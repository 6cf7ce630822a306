"""What is enumerated without asking, and how long the rest is said to take: on a clock that the test winds."""

import pytest

from dvae_ref.exact import limits

DAY, YEAR = 86400, 365.25 * 86400


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.25, "about 0.25 seconds"),
        (59.4, "about 59 seconds"),
        (60, "about 1 minutes"),
        (90, "about 1.5 minutes"),
        (3599, "about 60 minutes"),
        (3600, "about 1 hours"),
        (DAY - 3600, "about 23 hours"),
        (DAY, "about 1 days"),
        (36 * 3600, "about 1.5 days"),
        (YEAR - DAY, "about 3.6e+02 days"),
        (YEAR, "about 1 years"),
        (2.5 * YEAR, "about 2.5 years"),
    ],
)
def test_a_duration_is_in_the_largest_unit_that_is_not_below_one(seconds, said):
    assert limits.duration(seconds) == said


def clock(monkeypatch, seconds_a_state):
    """sample(size) enumerates size states on a clock that shows seconds_a_state for each; first calls take longer."""
    now, calls = [100.0], []
    monkeypatch.setattr(limits.time, "perf_counter", lambda: now[0])

    def sample(size):
        now[0] += seconds_a_state * size * (1 if calls else 50)
        calls.append(size)
        return size

    return sample, calls


@pytest.mark.parametrize(("states", "force"), [(0, False), (1000, False), (1001, True), (2**62, True)])
def test_up_to_the_limit_or_forced_nothing_is_asked(monkeypatch, states, force):
    sample, calls = clock(monkeypatch, 1.0)
    limits.check(states, 1000, force, "it", sample, 10)
    assert calls == []


@pytest.mark.parametrize("states", [1001, 2**62])
def test_beyond_the_limit_the_time_is_told_from_a_second_call(monkeypatch, states):
    """Ten states take 5 s: half a second each."""
    sample, calls = clock(monkeypatch, 0.5)
    said = f"it would visit {states:.2g} states, which takes {limits.duration(states / 2)} on this machine; "
    with pytest.raises(ValueError, match=r"without force=True at most 1e\+03 are visited") as caught:
        limits.check(states, 1000, False, "it", sample, 10)
    assert str(caught.value).startswith(said)
    assert calls == [10, 10]


@pytest.mark.parametrize("force", [True, False])
def test_more_states_than_int64_counts_are_refused_forced_or_not(monkeypatch, force):
    sample, calls = clock(monkeypatch, 1.0)
    with pytest.raises(ValueError, match=r"it would visit more than 2\^62 states, which no force brings to an end"):
        limits.check(2**62 + 1, 2**70, force, "it", sample, 10)
    assert calls == []
