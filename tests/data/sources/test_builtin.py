import numpy as np
import pytest

from edgenext_search.data.sources.builtin import LAYOUTS, SIZE, TEXTURES, BuiltinSource


@pytest.fixture(scope="module")
def drawn():
    """The first 1,280 images, 80 of each class: uint8 [n, 64, 64, 3], and their labels."""
    source = BuiltinSource(n=1280)
    return np.stack([np.asarray(source.load(i)) for i in range(1280)]), source.labels


def test_it_is_a_balanced_demonstration_of_sixteen_classes():
    source = BuiltinSource()
    assert (source.name, source.demonstration, len(source.classes)) == ("built-in", True, 16)
    assert list(source.classes) == sorted(source.classes)
    assert np.bincount(source.labels).tolist() == [256] * 16
    image = source.load(0)
    assert (image.mode, image.size) == ("RGB", (SIZE, SIZE))


def test_an_image_depends_on_seed_and_index_alone():
    one, other = BuiltinSource(n=64), BuiltinSource(n=128)
    for i in (63, 5, 17):
        assert np.array_equal(one.load(i), other.load(i))
    assert not np.array_equal(one.load(5), one.load(21))
    assert not np.array_equal(one.load(5), BuiltinSource(n=64, seed=1).load(5))


def test_the_pictures_are_those_the_published_figures_were_taken_on():
    means = [np.asarray(BuiltinSource().load(i)).mean() for i in range(3)]
    assert means == pytest.approx([101.09, 108.09, 101.7], abs=0.01), "raise GENERATOR"


def test_the_fingerprint_follows_n_and_seed():
    sources = [BuiltinSource(), BuiltinSource(n=64), BuiltinSource(seed=1)]
    assert len({source.fingerprint() for source in sources}) == 3
    assert BuiltinSource().fingerprint() == BuiltinSource().fingerprint()


def linear_accuracy(features, labels):
    """Held-out accuracy of a least-squares classifier, fitted to four fifths of the images."""
    features = np.c_[features, np.ones(len(features))]
    cut = len(labels) * 4 // 5
    weights, *_ = np.linalg.lstsq(features[:cut], np.eye(labels.max() + 1)[labels[:cut]], rcond=None)
    return ((features[cut:] @ weights).argmax(1) == labels[cut:]).mean()


def test_colour_and_brightness_do_not_tell_the_class(drawn):
    images, labels = drawn
    assert linear_accuracy(images.mean((1, 2)), labels) < 0.13  # 1/16, and three standard errors of 256 images


def test_the_stray_disc_and_the_layout_do_not_tell_the_texture(drawn):
    images, labels = drawn
    contrast = images.std((1, 2, 3))
    for kind in range(len(LAYOUTS)):
        assert contrast[labels % 4 == kind].mean() == pytest.approx(contrast.mean(), rel=0.02)
    for kind in range(len(TEXTURES)):
        assert contrast[labels // 4 == kind].mean() == pytest.approx(contrast.mean(), rel=0.06)


def test_a_mirrored_image_is_of_the_same_class(drawn):
    """Textures and layouts are symmetric: the mean magnitude picture of each class is its own mirror image."""
    images, labels = drawn
    magnitude = np.abs(images.astype(float).mean(3) - 104)
    for label in range(16):
        mean = magnitude[labels == label].mean(0)
        assert np.corrcoef(mean.ravel(), mean[:, ::-1].ravel())[0, 1] > 0.8


def test_layouts_are_told_apart_by_where_the_discs_are(drawn):
    images, labels = drawn
    magnitude = np.abs(images.astype(float).mean(3) - 104).reshape(-1, 8, 8, 8, 8).mean((2, 4)).reshape(-1, 64)
    assert linear_accuracy(magnitude, labels % 4) > 0.9
    assert linear_accuracy(magnitude, labels // 4) < 0.5
