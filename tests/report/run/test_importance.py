"""The figure of importances."""

from edgenext_search.report.run.importance import importance_figure, parameter_text

from ..builders import a_summary


def test_bars_in_the_order_given_with_names_in_words():
    values = {"stage3.kernel_size": 0.5, "expand_ratio": 0.3, **{f"p{index}": 0.2 / 20 for index in range(20)}}
    figure = importance_figure(
        a_summary(importance={"method": "PED-ANOVA", "quantile": 0.25, "n": 40, "values": values})
    )
    assert list(figure.y_names[:2]) == ["kernel size, stage 3", "expand ratio"]
    assert list(figure.series[0].x[:2]) == [50, 30]
    assert "8 more below 1.0 %" in figure.x_label
    assert "best 25 % of 40" in figure.y_label


def test_without_there_is_no_figure():
    assert importance_figure(a_summary()) is None


def test_names():
    assert parameter_text("stage2.sdta_splits") == "SDTA splits, stage 2"
    assert parameter_text("depth") == "depth"
