"""A campaign drafted from a table: names, roles, ranges, mixtures, objectives."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.campaign import Campaign
from engine.drafts.columns import name_and_unit
from engine.drafts.create import read_for_draft
from engine.drafts.draft import draft_campaign
from engine.drafts.ranges import common_step, range_of
from engine.drafts.wishes import Wishes, read_wish
from engine.errors import DataError, UsageError


def table(folder: Path, headings: str, *rows: str) -> Path:
    path = folder / "results.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([headings.split("|"), *(row.split("|") for row in rows)])
    return path


def draft(path: Path, **wishes):
    result = draft_campaign(read_for_draft(path), Wishes(**wishes), name="drafted")
    return result, Campaign(**result.definition)


SPINNING = (
    "Sample|Feed rate (ml/hr)|Applied voltage [kV]|TCD (cm)|RH (%)|Polymer|"
    "Fiber diameter (nm)|SD|n",
    *(
        f"S{i}|{0.2 + 0.1 * (i % 5):.1f}|{12 + 2 * (i % 4)}|{10 + 5 * (i % 3)}|{40 + i}|"
        f"{'PAN' if i % 2 else 'PVP'}|{300 + 7 * i * i % 91}|{20 + i}|50"
        for i in range(24)
    ),
)


def test_a_spinning_table(tmp_path) -> None:
    result, campaign = draft(table(tmp_path, *SPINNING))
    assert [(p.name, p.unit, p.role) for p in campaign.parameters] == [
        ("flow_rate", "mL/h", "controlled"),
        ("voltage", "kV", "controlled"),
        ("distance", "cm", "controlled"),
        ("humidity", "%", "ambient"),
        ("polymer" if campaign.parameters[4].name == "polymer" else "Polymer", "", "controlled"),
    ]
    assert campaign.parameter("flow_rate").step == 0.1
    assert campaign.parameter("distance").levels == (10.0, 15.0, 20.0)
    assert campaign.parameters[4].choices == ("PAN", "PVP")
    (objective,) = campaign.objectives
    assert (objective.outcome, objective.goal) == ("fibre_diameter", "minimize")
    assert any("'SD' is the scatter of fibre_diameter" in guess for guess in result.guesses)
    assert any("'RH (%)' is taken for ambient: it is recorded" in guess for guess in result.guesses)


def test_what_somebody_says_goes_before(tmp_path) -> None:
    _, campaign = draft(
        table(tmp_path, *SPINNING),
        objectives=(read_wish("Fiber diameter:300±20"),),
        ambient=("Applied voltage [kV]",),
        leave_out=("TCD",),
    )
    assert campaign.parameter("voltage").role == "ambient"
    assert "distance" not in [parameter.name for parameter in campaign.parameters]
    assert (campaign.objectives[0].target, campaign.objectives[0].tolerance) == (300, 20)


def test_shares_that_sum_to_a_constant_are_a_mixture(tmp_path) -> None:
    shares = [(10, 20, 70), (30, 30, 40), (5, 15, 80), (25, 50, 25), (33.33, 33.33, 33.34)]
    rows = [f"{a}|{b}|{c}|{20 + i}|{i * 1.37}" for i, (a, b, c) in enumerate(shares)]
    result, campaign = draft(table(tmp_path, "X (%)|Y (%)|Z (%)|oven (°C)|yield", *rows))
    assert list(map(str, campaign.parameter_constraints)) == ["X + Y + Z == 100"]
    assert any("taken for a mixture" in guess for guess in result.guesses)


def test_a_column_that_has_values_beside_one_choice_only(tmp_path) -> None:
    rows = [
        f"{'drum' if i % 2 else 'plate'}|{100 * i if i % 2 else ''}|{i % 3}|{i * 1.7}"
        for i in range(12)
    ]
    _, campaign = draft(table(tmp_path, "collector|speed (rpm)|x|strength", *rows))
    assert campaign.parameters[1].only_if_text == "only if collector = drum"
    assert campaign.parameters[1].default is None


def test_gaps_in_a_setting_are_unknown(tmp_path) -> None:
    rows = [f"{'' if i == 3 else 10 + i % 4}|{i % 3}|{i * 1.7}" for i in range(12)]
    _, campaign = draft(table(tmp_path, "needle gap (mm)|x|strength", *rows))
    assert campaign.parameters[0].default == "unknown"


def test_replicates_side_by_side_are_one_outcome(tmp_path) -> None:
    rows = [f"{i % 4}|{i % 3}|{i * 1.7}|{i * 1.7 + 1}" for i in range(12)]
    _, campaign = draft(table(tmp_path, "x|y|strength_1 [MPa]|strength_2 [MPa]", *rows))
    assert campaign.outcomes == ("strength",)
    assert campaign.unit_of("strength") == "MPa"
    assert [parameter.name for parameter in campaign.parameters] == ["x", "y"]


def test_what_says_nothing_is_left_aside(tmp_path) -> None:
    rows = [
        f"{i}|2024-05-{i + 1:02d}|https://doi.org/{i % 2}|{i % 3}|{wet}||{i * 2}"
        for i, wet in enumerate(["yes", "no"] * 4)
    ]
    result, campaign = draft(table(tmp_path, "no.|date|source|x|wet|empty|toughness", *rows))
    assert [parameter.name for parameter in campaign.parameters] == ["x"]
    assert set(result.aside) == {"no.", "date", "source", "wet", "empty"}


def test_results_are_known_by_their_scatter_at_equal_settings(tmp_path) -> None:
    rows = [f"{i % 3}|{i % 2}|{(i * 7) % 5 + i / 100}" for i in range(24)]
    _, campaign = draft(table(tmp_path, "a|b|zeta", *rows))
    assert campaign.outcomes == ("zeta",)


@pytest.mark.parametrize(
    ("heading", "name", "unit"),
    [
        ("Feed rate (ml/hr)", "flow_rate", "mL/h"),
        ("flow_rate_ml/h", "flow_rate", "mL/h"),
        ("needle_diameter_g", "needle_gauge", "gauge"),
        ("temperature_c", "temperature", "°C"),
        ("Conductivity (measured) (S/cm)", "conductivity_measured", "S/cm"),
        ("Qtot(uL/min)", "qtot", "µL/min"),
        ("polymer(s)", "polymer", ""),
        ("P3HT content (%)", "P3HT_content", "%"),
        ("Größe [mm]", "Grosse", "mm"),
        ("v", "v", ""),
        ("2nd pass", "x2nd_pass", ""),
        ("浊度 (%)", "column", "%"),
        ("浓度 (%)", "concentration", "%"),
    ],
)
def test_names_and_units(heading, name, unit) -> None:
    found_name, found_unit = name_and_unit(heading)
    assert (found_name.casefold(), found_unit) == (name.casefold(), unit)


@pytest.mark.parametrize(
    ("text", "problem"),
    [("strength", "such as strength:max"), (":max", "such as"), ("strength:most", "such as")],
)
def test_a_wish_that_says_nothing_is_refused(text, problem) -> None:
    with pytest.raises(UsageError, match=problem):
        read_wish(text)


def test_a_wish_names_a_column(tmp_path) -> None:
    with pytest.raises(UsageError, match=r"no column 'strenght'.*Did you mean 'strength'"):
        draft(table(tmp_path, "x|strength", "1|2", "2|3"), objectives=(read_wish("strenght:max"),))


def test_a_table_without_results_is_no_campaign(tmp_path) -> None:
    with pytest.raises(DataError, match="no result"):
        draft(table(tmp_path, "polymer|solvent", "PAN|DMF", "PVP|EtOH", "PAN|DMSO", "PVP|DMF"))


@given(
    st.integers(-50, 50),
    st.sampled_from([0.01, 0.05, 0.25, 0.5, 2.5, 20.0]),
    st.lists(st.integers(0, 40), min_size=3, max_size=30),
)
def test_the_step_reaches_every_level(start, step, places) -> None:
    values = [round(start * step + place * step, 6) for place in places]
    settings = range_of(values)
    assert (settings.low, settings.high) == (min(values), max(values))
    common = common_step(sorted(set(values))) if len(set(values)) > 1 else step
    assert common is not None
    assert common >= step - 1e-9
    if settings.step is not None:
        Campaign(
            name="c",
            parameters=[
                {"name": "x", "low": settings.low, "high": settings.high, "step": settings.step}
            ],
            properties=[{"name": "y"}],
            objectives=[{"outcome": "y", "threshold": 0}],
        )


def several(*, strength: str = "{s}", speed: str = "{v}") -> list[str]:
    rows = []
    for i in range(14):
        values = {"s": f"{5 + 0.7 * i:.1f}", "v": str(200 + 100 * (i % 4))}
        cells = (strength if i % 5 == 0 else "{s}", speed)
        rows.append("|".join(word.format(**values) for word in cells) + f"|{60 + 3.1 * i:.1f}")
    return ["Strength (MPa)|Drum speed (rpm)|Elongation (%)", *rows]


def test_results_that_are_not_wished_stay_results(tmp_path) -> None:
    wish = read_wish("strength:max:5")
    result, campaign = draft(table(tmp_path, *several()), objectives=(wish,))
    assert [p.name for p in campaign.parameters] == ["collector_speed"]
    assert [p.name for p in campaign.properties] == ["strength", "elongation"]
    assert any("'Elongation (%)' is taken for a result" in guess for guess in result.guesses)
    _, campaign = draft(
        table(tmp_path, *several()), objectives=(wish,), controlled=("Elongation (%)",)
    )
    assert "elongation" in [p.name for p in campaign.parameters]


@pytest.mark.parametrize(
    ("odd", "column", "cell"),
    [
        ({"strength": "no jet"}, "Strength", "'no jet'"),
        ({"speed": "1,{v}"}, "Drum speed", "'1,200'"),
    ],
)
def test_a_column_without_numbers_is_refused_with_what_to_do(tmp_path, odd, column, cell) -> None:
    with pytest.raises(DataError, match="expected numbers, got") as refusal:
        draft(table(tmp_path, *several(**odd)), objectives=(read_wish("strength:max:5"),))
    text = str(refusal.value)
    assert f"column '{column}" in text
    assert cell in text
    assert "leave_out" in text


def test_a_german_spinning_table(tmp_path) -> None:
    headings = (
        "Probe|Flussrate (mL/h)|Konzentration (Gew.-%)|Spannung (kV)|Temperatur (°C)|"
        "Zugfestigkeit (MPa)|Bruchdehnung (%)"
    )
    rows = [
        f"P{i}|{0.4 + 0.1 * (i % 4):.1f}|{12 + 2 * (i % 3)}|{15 + i % 5}|{20 + 0.3 * i:.1f}|"
        f"{5 + 1.1 * i:.1f}|{60 + 2.7 * i:.1f}"
        for i in range(12)
    ]
    _, campaign = draft(table(tmp_path, headings, *rows))
    assert [(p.name, p.unit, p.role) for p in campaign.parameters] == [
        ("flow_rate", "mL/h", "controlled"),
        ("concentration", "Gew.-%", "controlled"),
        ("voltage", "kV", "controlled"),
        ("temperature", "°C", "ambient"),
    ]
    assert campaign.outcomes == ("fracture_strength", "elongation")
