"""The scripts of a page: Plotly is parsed once."""

import pytest
from plotly.offline import get_plotlyjs

from sweeper.page import script


def test_the_function_that_is_plotly_stands_in_parentheses():
    plotly = get_plotlyjs()
    eager = script.eager(plotly)
    assert len(eager) == len(plotly) + 2
    assert "this, (() => {" in eager[:1000]
    assert eager.rstrip().endswith("})));")


@pytest.mark.parametrize(
    "other",
    [
        "",
        "var Plotly = {};",
        '(typeof self !== "undefined" ? self : this, () => {',
        'f(typeof self !== "undefined" ? self : this, () => {}, "return Plotly;\n}));", "return Plotly;\n}));")',
    ],
)
def test_a_text_that_is_not_plotly_as_expected_stays_as_it_is(other):
    assert script.eager(other) == other
