"""Passwords that are the first to be guessed are refused, whatever stands around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.web.passwords import is_guessable


@pytest.mark.parametrize(
    "password",
    [
        "qwertyuiop", "qwertzuiop", "azertyuiop", "poiuytrewq", "QwErTyUiOp", "qwertyuiop1!",
        "1234567890", "0987654321", "12345678910", "abcdefghij", "asdfghjkl;", "1q2w3e4r5t",
        "1qaz2wsx3edc", "!@#$%^&*()", "password123", "Passwort2024", "P@ssw0rd2024!", "p455w0rd!!!",
        "passwordpassword", "letmein12345", "iloveyou1234", "administrator", "Welcome2024!",
        "aaaaaaaaaaaa", "abababababab", "abcabcabcabc", "11111111112", "spinneret2026",
        "labor12345", "anna.mueller", "Anna.Mueller1", "2024202520261", "qwerty123456",
        "          ",
    ],
)  # fmt: skip
def test_the_first_to_be_guessed(password: str) -> None:
    assert is_guessable(password, "anna.mueller")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse", "battery staple", "gT7#kq9Lw2", "leine katze mond", "ein Satz, kein Wort",
        "password of my aunt Ottilie",
        "2024 war ein nasses Jahr", "пароль из семи", "松の木と古い橋で",
    ],
)  # fmt: skip
def test_others_will_do(password: str) -> None:
    assert not is_guessable(password, "anna.mueller")


@given(st.text(max_size=1000), st.text(min_size=1, max_size=64))
def test_any_text_has_an_answer(password: str, name: str) -> None:
    assert is_guessable(password, name) in (True, False)
    assert is_guessable(name, name) or len(name) < 3


def test_a_short_name_is_no_word() -> None:
    assert not is_guessable("a tall blue cat", "a")
