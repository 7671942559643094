"""A small document as Markdown."""

import re

from edgenext_search.report.render.markdown import code, escaped, markdown

from ..builders import HOSTILE, a_document


def test_everything_brief_is_there():
    assert markdown(a_document()) == (
        "### EdgeNeXt search: demo, ≤ 1.3M\n\n**It is better.**\n\nBy far.\n\n"
        "> **A demonstration.** The images are generated. `--data FOLDER`\n\n"
        "| Name | Score |\n| --- | --: |\n| **`abc`** (winner) | 71.0 ± 1.2 |\n| def | 3 → 4 |\n\n"
        "Run `this` **now**.\n\n- **Trial 1:** failed\n"
    )


def test_names_stay_text():
    text = markdown(a_document(HOSTILE + "|\n*x*"))
    assert "<img" not in re.sub(r"`[^`]*`", "", text).replace("\\<", "")
    assert "\\| \\*x\\*" in text


def test_code_is_shown_as_it_is():
    assert code("a  `b`|\nc") == "``a  `b`| c``"
    assert code("`a|", in_table=True) == r"`` `a\| ``"
    assert escaped("~~a~~ &lt; $x$") == r"\~\~a\~\~ \&lt; \$x\$"
