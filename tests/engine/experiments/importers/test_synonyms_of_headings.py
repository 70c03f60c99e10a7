"""Headings in a lab book's words: known where the campaign's own names are not said, and told."""

from __future__ import annotations

import pytest

from engine.campaign import Campaign, Parameter, Property
from engine.campaign.vocabulary import Vocabulary
from engine.errors import spell
from engine.experiments.importers.headings import map_headings, missing_columns


@pytest.fixture(scope="module")
def vocabulary(nanofibre) -> Vocabulary:
    return Vocabulary(nanofibre)


@pytest.mark.parametrize(
    ("heading", "kind", "name", "factor"),
    [
        ("Applied voltage", "parameter", "voltage", 1.0),
        ("Flussrate [mL/h]", "parameter", "flow_rate", 1.0),
        ("Feed rate (µL/min)", "parameter", "flow_rate", 0.06),
        ("Konzentration [%]", "parameter", "concentration", 1.0),
        ("Drehzahl [U/min]", "parameter", "collector_speed", 1.0),
        ("r.F. [%]", "parameter", "humidity", 1.0),
        ("Raumtemperatur [°C]", "parameter", "temperature", 1.0),
        ("UTS (longitudinal)", "outcome", "fracture_strength.longitudinal", 1.0),
        ("UTS (transverse) [MPa]", "outcome", "fracture_strength.transverse", 1.0),
        ("Zugfestigkeit längs [MPa]", "outcome", "fracture_strength.longitudinal", 1.0),
        ("Bruchdehnung, quer [%]", "outcome", "elongation.transverse", 1.0),
        ("elongation (longitudinal) [%]", "outcome", "elongation.longitudinal", 1.0),
        ("run", "label", "label", 1.0),
        ("Probe", "label", "label", 1.0),
        ("Remarks", "note", "note", 1.0),
    ],
)
def test_a_word_of_the_field_is_taken_and_told(vocabulary, heading, kind, name, factor) -> None:
    columns, problems = map_headings([heading], vocabulary)
    assert problems == []
    (column,) = columns.understood
    assert (column.kind, column.name) == (kind, name)
    assert column.factor == pytest.approx(factor)
    is_own = heading.startswith("elongation")
    assert (f"column '{heading}' is taken for {name}" in columns.notes) is not is_own


def test_series_and_scatter_of_a_synonym(vocabulary) -> None:
    headings = ["UTS longitudinal 1", "UTS longitudinal 2", "Bruchdehnung längs", "SD"]
    columns, problems = map_headings(headings, vocabulary)
    assert problems == []
    meanings = [(column.name, column.replicate, column.part) for column in columns.understood]
    assert meanings == [
        ("fracture_strength.longitudinal", 1, "value"),
        ("fracture_strength.longitudinal", 2, "value"),
        ("elongation.longitudinal", None, "value"),
        ("elongation.longitudinal", None, "sd"),
    ]


@pytest.mark.parametrize(
    ("own", "other"), [("voltage", "applied voltage"), ("label", "run"), ("note", "remarks")]
)
def test_the_campaigns_own_word_comes_first(vocabulary, own, other) -> None:
    columns, problems = map_headings([other, own], vocabulary)
    assert problems == []
    assert [column.heading for column in columns.understood] == [own]
    assert columns.ignored == (other,)


def test_two_words_for_one_name_are_refused(vocabulary) -> None:
    columns, (problem,) = map_headings(["Applied voltage", "Hochspannung"], vocabulary)
    assert [column.heading for column in columns.understood] == ["Applied voltage"]
    assert "means voltage, as does the column 'Applied voltage'" in problem.expected


def test_a_unit_that_does_not_fit_is_refused(vocabulary) -> None:
    _, (problem,) = map_headings(["Applied voltage [mL/h]"], vocabulary)
    assert "voltage is in kV in this campaign, got mL/h" in problem.expected


@pytest.mark.parametrize("heading", ["speed", "time", "gap", "potential"])
def test_what_may_be_anything_is_not_taken(vocabulary, heading) -> None:
    columns, _ = map_headings([heading], vocabulary)
    assert columns.understood == ()


def test_a_direction_has_to_be_said(vocabulary) -> None:
    _, (problem,) = map_headings(["UTS [MPa]"], vocabulary)
    assert "fracture_strength.longitudinal or fracture_strength.transverse" in problem.expected


def test_an_oven_is_not_the_room() -> None:
    campaign = Campaign(
        name="films",
        parameters=[Parameter(name="temperature", unit="°C", low=60, high=200)],
        properties=[Property(name="haze")],
        objectives=[{"outcome": "haze", "goal": "minimize", "threshold": 9}],
    )
    columns, _ = map_headings(["Room temperature [°C]"], Vocabulary(campaign))
    assert columns.understood == ()


def test_a_missing_column_is_known_by_its_unit(vocabulary, nanofibre) -> None:
    headings = ["Spannung [kV]", "Druck [bar]"]
    columns, _ = map_headings(headings, vocabulary)
    by_name = {p.column: p for p in missing_columns(nanofibre.controlled, columns)}
    assert "Is it 'Spannung [kV]'?" in by_name["voltage [kV]"].expected
    assert spell(by_name["voltage [kV]"].mend or "", "cli") == "--column 'Spannung [kV]=voltage'"
    assert "Is it" not in by_name["flow_rate [mL/h]"].expected
    # Two that would fit are not chosen between.
    columns, _ = map_headings([*headings, "Gegenspannung [V]"], vocabulary)
    by_name = {p.column: p for p in missing_columns(nanofibre.controlled, columns)}
    assert "Is it" not in by_name["voltage [kV]"].expected
