import pytest

from contracts.errors import SpecError
from lake.regex import check_regex, check_replacement

ALLOWED = [
    "[0-9]{4}-[0-9]{2}",
    "(?:a|b)+?\\z",
    "\\p{L}+",
    "[\\p{Lo}A-Z_-]",
    "\\A\\\\.x".replace(".", "\\."),
    "^[^\\r\\n]*\\z",
    "\\p{script=Han}{2,}",
    "主诉[：:]",
    "\\(x\\)",
    "\\u4e2d|\\x41",
]

REFUSED = {
    "\\d+": "[0-9]",
    "\\w": "[A-Za-z0-9_]",
    "\\s*": "[ \\t\\r\\n]",
    "\\bab": "neighbours",
    "a.c": "[^\\r\\n]",
    "ab$": "\\z",
    "(?i)ab": "flags",
    "(?=a)": "look-around",
    "(?<!a)b": "look-around",
    "(?<n>a)": "names",
    "(a)\\1": "explicit class",
    "a++": "lazy",
    "[[:alpha:]]": "nested",
    "[a-z&&[^b]]": "one class",
    "a{,3}": "\\{",
    "\\p{IsHan}": "explicit class",
    "\\Qa\\E": "explicit class",
    "\\h": "[ \\t]",
    "(a": "close it",
    "a)": "\\)",
    "[a": "close it",
    "*a": "\\*",
    "a\\": "explicit class",
}


@pytest.mark.parametrize("pattern", ALLOWED)
def test_a_pattern_of_the_shared_dialect_is_accepted(pattern: str) -> None:
    check_regex(pattern)


@pytest.mark.parametrize("pattern", REFUSED)
def test_a_pattern_that_the_engines_read_differently_is_refused_with_what_to_write(pattern: str) -> None:
    with pytest.raises(SpecError) as caught:
        check_regex(pattern)
    assert repr(pattern) in str(caught.value)
    assert REFUSED[pattern] in str(caught.value)


@pytest.mark.parametrize("text", ["", "-", "$1-$2", "$1 a", "年"])
def test_a_plain_replacement_is_accepted(text: str) -> None:
    check_replacement(text)


@pytest.mark.parametrize("text", ["$1a", "$12", "${1}", "\\$", "$$", "$name"])
def test_a_replacement_that_names_a_group_in_one_engine_only_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="differently"):
        check_replacement(text)
