import pytest

from edgenext_search.data.loading.shard import Shard


@pytest.mark.parametrize(("rank", "world"), [(1, 1), (-1, 2), (0, 0)])
def test_a_rank_outside_of_the_world_is_an_error(rank, world):
    with pytest.raises(ValueError, match=f"rank is {rank} and world {world}"):
        Shard(rank, world)


def test_shards_are_disjoint_and_complete():
    items = list(range(7))
    assert sorted(item for rank in range(3) for item in items[Shard(rank, 3).slice]) == items
