"""Lab books call parameters by the words of their language."""

from __future__ import annotations

import pytest

from engine.campaign.synonyms import canonical, canonical_outcome


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("Flussrate", "flow_rate"), ("流速", "flow_rate"), ("Konz.", "concentration"),
        ("浓度", "concentration"), ("Hochspannung", "voltage"), ("电压", "voltage"),
        ("Drehzahl", "collector_speed"), ("Abstand", "distance"), ("接收距离", "distance"),
        ("Raumtemperatur", "temperature"), ("r.F.", "humidity"), ("rel. Luftfeuchte", "humidity"),
        ("相对湿度", "humidity"), ("Humidité", "humidity"), ("Spannung", "spannung"),
    ],
)  # fmt: skip
def test_words_of_other_languages(word: str, name: str) -> None:
    assert canonical(word) == canonical(name)


def test_an_outcome_of_another_language() -> None:
    assert canonical_outcome("Faserdurchmesser") == canonical_outcome("fibre_diameter")
