from edgenext_search.search.resolver import read_study
from edgenext_search.search.study.images import open_images, prepare_images


def recipe(*settings, **flags):
    return read_study("demo", flags=flags, settings=settings)


def test_the_recipe_decides_the_images(tmp_path):
    seen = []
    study = recipe("data.train_images=40", "data.val_images=20", "proxy.img_size=35", "data.seed=4")
    data = prepare_images(
        open_images(study), study, cache_dir=tmp_path, workers=2, progress=lambda *counts: seen.append(counts)
    )
    assert (data.name, data.image_size) == ("built-in", 40)
    assert (len(data.train.labels), len(data.val.labels)) == (40, 20)
    assert data.folder.parent == tmp_path
    assert seen[-1] == (60, 60)


def test_the_source_is_the_recipes(class_folder):
    assert open_images(recipe(**{"data.source": str(class_folder)})).name == f"folder {class_folder.name}"
