from __future__ import annotations

import pytest

from engine.campaign.vocabulary import Vocabulary, same_unit
from engine.experiments.importers.headings import map_headings, missing_columns


@pytest.fixture(scope="module")
def vocabulary(nanofibre) -> Vocabulary:
    return Vocabulary(nanofibre)


@pytest.mark.parametrize(
    ("heading", "kind", "name"),
    [
        ("voltage", "parameter", "voltage"),
        ("voltage [kV]", "parameter", "voltage"),
        ("Voltage (kV)", "parameter", "voltage"),
        ("Flow rate (ml/h)", "parameter", "flow_rate"),
        ("v", "parameter", "voltage"),
        ("temperature [degC]", "parameter", "temperature"),
        ("elongation.transverse [%]", "outcome", "elongation.transverse"),
        ("yield.longitudinal", "outcome", "yield_strength.longitudinal"),
        ("Elastic modulus transverse", "outcome", "elastic_modulus.transverse"),
        ("ID", "label", "label"),
        ("Sample ID", "label", "label"),
        ("replicate", "replicate", "replicate"),
        ("Notes", "note", "note"),
    ],
)
def test_headings_as_people_write_them(vocabulary, heading, kind, name) -> None:
    columns, problems = map_headings([heading], vocabulary)
    assert problems == []
    assert [(column.kind, column.name) for column in columns.understood] == [(kind, name)]


@pytest.mark.parametrize(
    ("heading", "told"),
    [
        ("voltage [kW]", "voltage is in kV in this campaign, got kW"),
        ("voltage (MV²)", "head the column 'voltage [kV]'"),
        ("fracture_strength.longitudinal [mPa]", "is in MPa in this campaign, got mPa"),
        ("collector_speed [m/s]", "is in rpm in this campaign, got m/s"),
        ("concentration [g]", "is in % in this campaign, got g"),
        ("elongation.transverse [mm]", "is in % in this campaign, got mm"),
        ("voltge", "Did you mean 'voltage'?"),
        ("voltage_kw", "Did you mean 'voltage'?"),
        ("temperatuer", "Did you mean 'temperature'?"),
        ("flow_ratte", "Did you mean 'flow_rate'?"),
        ("elongation", "elongation.longitudinal or elongation.transverse"),
        ("elongation.longitudnal", "Did you mean 'elongation.longitudinal'?"),
        ("replicates", "Did you mean 'replicate'?"),
    ],
)
def test_what_nearly_fits_is_refused(vocabulary, heading, told) -> None:
    columns, problems = map_headings([heading], vocabulary)
    assert columns.understood == ()
    (problem,) = problems
    assert problem.column == heading
    assert told in problem.expected


def test_forecasts_of_our_own_are_left_aside_but_a_lone_mean_is_not(vocabulary) -> None:
    name = "elongation.longitudinal"
    columns, problems = map_headings(
        [f"{name}.{p}" for p in ("mean", "lower", "upper")], vocabulary
    )
    assert (columns.understood, columns.ignored, problems) == ((), (), [])
    _, problems = map_headings([f"{name}.mean"], vocabulary)
    assert "Did you mean 'elongation.longitudinal'?" in problems[0].expected


def test_what_means_nothing_is_left_aside(vocabulary) -> None:
    columns, problems = map_headings(["humour", "voltage", "voltage_setpoint", ""], vocabulary)
    assert problems == []
    assert columns.ignored == ("humour", "voltage_setpoint")


def test_two_columns_of_one_meaning_are_refused(vocabulary) -> None:
    _, problems = map_headings(["voltage", "V (kV)"], vocabulary)
    assert "as does the column 'voltage'" in problems[0].expected


def test_a_missing_column_is_told_once(vocabulary, nanofibre) -> None:
    headings = ["flow_rate", "concentration [g]", "collector_speed"]
    columns, problems = map_headings(headings, vocabulary)
    missing = missing_columns(nanofibre.controlled, columns, headings)
    assert [problem.column for problem in (*problems, *missing)] == [
        "concentration [g]",
        "voltage [kV]",
    ]


def test_the_campaigns_words_come_first(mixture) -> None:
    named = mixture.model_copy(
        update={
            "parameters": (
                *mixture.parameters[:-1],
                mixture.parameters[-1].model_copy(update={"aliases": ("status",)}),
            )
        }
    )
    columns, _ = map_headings(["status"], Vocabulary(named))
    assert columns.understood[0].name == "solvent"


@pytest.mark.parametrize(
    ("unit", "expected", "same"),
    [
        ("ml/h", "mL/h", True),
        ("µm", "μm", True),
        (" m L / h ", "mL/h", True),
        ("℃", "°C", True),
        ("", None, True),
        ("mm", "Mm", False),
        ("kV", "", False),
        ("wt%", "%", True),
        ("mPa", "MPa", False),
        ("mpa", "MPa", True),
        ("V", "kV", False),
    ],
)
def test_units_that_are_the_same(unit, expected, same) -> None:
    assert same_unit(unit, expected) is same


@pytest.mark.parametrize(
    ("heading", "name", "value", "expected"),
    [
        ("flow_rate [mL/hr]", "flow_rate", 0.4, 0.4),
        ("voltage [KV]", "voltage", 18, 18),
        ("collector_speed [RPM]", "collector_speed", 400, 400),
        ("temperature [ºC]", "temperature", 21.5, 21.5),
        ("fracture_strength.longitudinal [Mpa]", "fracture_strength.longitudinal", 12, 12),
        ("yield_strength.transverse [MPA]", "yield_strength.transverse", 8, 8),
        ("yield_strength.transverse [GPa]", "yield_strength.transverse", 0.008, 8),
        ("voltage [V]", "voltage", 17100, 17.1),
        ("voltage (Volts)", "voltage", 18000, 18),
        ("voltage_kv", "voltage", 18, 18),
        ("Voltage V", "voltage", 18000, 18),
        ("flow rate (µL/min)", "flow_rate", 5, 0.3),
        ("flow_rate [cc/h]", "flow_rate", 0.4, 0.4),
        ("temperature [°F]", "temperature", 68, 20),
        ("temperature_c", "temperature", 20, 20),
        ("temperature [K]", "temperature", 293.15, 20),
        ("collector_speed [Hz]", "collector_speed", 10, 600),
        ("concentration [wt%]", "concentration", 18, 18),
        ("humidity_%", "humidity", 50, 50),
    ],
)
def test_units_as_people_write_them_are_read_and_converted(
    vocabulary, nanofibre, heading, name, value, expected
) -> None:
    columns, problems = map_headings([heading], vocabulary)
    assert problems == []
    (column,) = columns.understood
    assert column.name == name
    # To the digit: a grid's settings are compared with what was imported.
    assert column.converted(value) == expected
    told = columns.conversions(nanofibre)
    assert (told == []) == (value == expected)
    assert all(heading in note and nanofibre.unit_of(name) in note for note in told)


@pytest.mark.parametrize(
    "heading",
    [
        "voltage / kV",
        "voltage/kV",
        "voltage in kV",
        "voltage: kV",
        "voltage（kV）",
        "voltage [kV]\u200b",
    ],
)
def test_a_unit_may_stand_behind_any_mark(nanofibre, heading) -> None:
    columns, problems = map_headings([heading], Vocabulary(nanofibre))
    assert problems == []
    assert [(c.name, c.factor) for c in columns.understood] == [("voltage", 1.0)]


def test_a_heading_without_a_unit_by_its_own_word_is_the_share_of_one(nanofibre) -> None:
    words = ["elongation.longitudinal [-]", "humidity (–)", "voltage [-]"]
    columns, problems = map_headings(words, Vocabulary(nanofibre))
    assert [(c.name, c.factor) for c in columns.understood] == [
        ("elongation.longitudinal", 100.0),
        ("humidity", 100.0),
    ]
    assert [problem.column for problem in problems] == ["voltage [-]"]


def test_a_number_behind_a_heading_is_a_replicates(nanofibre) -> None:
    words = ["elongation.longitudinal_1", "elongation.longitudinal_2"]
    columns, _ = map_headings(words, Vocabulary(nanofibre))
    assert all(column.factor == 1.0 for column in columns.understood)
