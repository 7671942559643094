import math
from collections import Counter

import pytest
from strategies import seeded

from edgenext_search.arch.estimate import Count, chao1


def test_an_exact_count_has_no_interval():
    facts = {"exact": True, "value": 3, "low": 3, "high": 3, "method": "exact", "samples": 0}
    assert Count.exact(3).to_dict() == facts


def drawn(classes, n, seed):
    rng = seeded(seed)
    return list(Counter(rng.randrange(classes) for _ in range(n)).values())


def test_chao1_by_hand():
    """Seven classes, four seen once and two seen twice among eleven: 7 + 10 / 11 * 4 * 3 / (2 * 3)."""
    count = chao1([1, 1, 1, 1, 2, 2, 3])
    assert count.value == round(7 + 10 / 11 * 2)
    assert 7 <= count.low <= count.value <= count.high


def test_chao1_covers_classes_that_are_equally_likely():
    counts = [chao1(drawn(500, 400, seed)) for seed in range(100)]
    assert sum(count.low <= 500 <= count.high for count in counts) >= 88
    assert sum(count.value for count in counts) / 100 == pytest.approx(500, rel=0.05)


def test_chao1_where_all_draws_differ_has_no_upper_end():
    counts = [chao1(drawn(10**6, 500, seed)) for seed in range(200)]
    open_ended = [count for count in counts if count.high is None]
    assert 150 < len(open_ended) < 200  # 88 % of 500 draws of a million all differ
    assert all(count.low == math.floor(500 * 499 / (2 * math.log(20))) for count in open_ended)


def test_chao1_where_every_class_was_seen_often_is_certain():
    assert chao1([9, 8, 9]).to_dict().items() >= {"value": 3, "low": 3, "high": 3}.items()
    assert chao1([1]).value == 1


def test_chao1_stays_below_what_is_possible():
    count = chao1([1] * 50, most=200)
    assert (count.value, count.low, count.high) == (200, 200, None)
    assert chao1([1] * 50 + [2], most=200).high == 200
