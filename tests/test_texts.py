from edgenext_search.texts import counted


def test_one_and_many():
    assert counted(1, "epoch") == "1 epoch"
    assert counted(0, "epoch") == "0 epochs"
    assert counted(1280, "class", "classes") == "1,280 classes"
