"""Words: every one in both languages, with the same places to fill."""

from __future__ import annotations

import string

import pytest

from roadworthy.words import WORDS, word


@pytest.mark.parametrize("name", sorted(WORDS))
def test_both_languages_have_the_same_places_to_fill(name):
    """A value that one language tells, the other tells as well; a guide's own words may stand alone."""
    english, chinese = ({field for _, field, *_ in string.Formatter().parse(text) if field} for text in WORDS[name])

    assert english == chinese


def test_a_word_is_filled():
    """In the language asked for."""
    assert "measured on 2026-11-21" == word("measured", "en", when="2026-11-21")
    assert "2026-11-21实测" == word("measured", "zh", when="2026-11-21")
