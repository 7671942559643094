import io
import os

import pytest

from edgenext_search.data.fingerprint import (
    BLOCK,
    SAMPLED,
    content_fingerprint,
    fingerprint_of_files,
    sampled_bytes,
    sampled_bytes_at,
)

LARGE = bytes(range(256)) * 40


@pytest.mark.parametrize(("count", "read"), [(0, 0), (1, 1), (SAMPLED, SAMPLED), (100 * SAMPLED + 7, SAMPLED)])
def test_a_bounded_sample_is_read(count, read):
    seen = []
    content_fingerprint((b"%d" % index for index in range(count)), lambda index: seen.append(index) or b"")
    assert len(set(seen)) == len(seen) == read
    assert all(index < count for index in seen)


@pytest.mark.parametrize("changed", [0, len(LARGE) // 2, len(LARGE) - 1])
def test_the_beginning_the_middle_and_the_end_count(changed):
    other = bytearray(LARGE)
    other[changed] ^= 1
    assert sampled_bytes(io.BytesIO(other)) != sampled_bytes(io.BytesIO(LARGE))
    assert len(sampled_bytes(io.BytesIO(LARGE))) < 3 * BLOCK + 10
    assert sampled_bytes(io.BytesIO(b"abc" + LARGE + b"xyz"), 3, len(LARGE)) == sampled_bytes(io.BytesIO(LARGE))


def test_what_cannot_be_read_has_a_fingerprint_too(tmp_path):
    assert sampled_bytes_at(tmp_path / "absent") == sampled_bytes_at(tmp_path)
    assert len(fingerprint_of_files(str(tmp_path), [b"absent", os.fsencode("a\udcff")])) == 16
