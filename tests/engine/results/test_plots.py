"""One builder draws for the report and for the page: the same numbers, each in its paint."""

import json
from collections.abc import Callable
from dataclasses import replace

import plotly.graph_objects as go
import pytest

from db.records import MeanRecord
from engine.campaign import Campaign, Objective
from engine.results.figures import (
    calibration,
    hypervolume_growth,
    overview_growth,
    parallel,
)
from engine.results.fronts import MAX_POINTS, fronts, overview_fronts
from engine.results.material import Material, run_names
from engine.results.overview import Overview, Point, overview
from engine.results.plots import calibration_plot, front_plot, parallel_plot, progress_plot

MakeMaterial = Callable[..., Material]


def drawn(material: Material, medium: str) -> list[dict]:
    """Every figure that both may show."""
    return [
        *(front_plot(front, medium) for front in fronts(material)),
        progress_plot(hypervolume_growth(material), medium),
        *(calibration_plot(c, run_names(material), medium) for c in calibration(material)),
    ]


def test_plotly_takes_what_the_report_is_given(make_material: MakeMaterial) -> None:
    material = make_material(label="a <b>")
    for plot in [*drawn(material, "report"), parallel_plot(parallel(material))]:
        figure = go.Figure(plot)  # refuses a name or value that plotly does not know
        assert figure.layout.height > 0
        assert "role" not in json.dumps(plot)


def test_a_page_is_sent_roles_and_no_colours(make_material: MakeMaterial) -> None:
    for plot in drawn(make_material(), "page"):
        assert {trace["role"] for trace in plot["data"]} <= {"quiet", "front", "awaited", "failed"}
        assert "#" not in json.dumps(plot)
        assert "rgba" not in json.dumps(plot)
        assert not {"height", "font", "margin"} & set(plot["layout"])


def test_both_show_the_same_numbers(make_material: MakeMaterial) -> None:
    material = make_material()
    front = fronts(material)[0]
    report, page = front_plot(front), front_plot(front, "page")
    for ours, theirs in zip(report["data"], page["data"], strict=True):
        assert (ours["x"], ours["y"]) == (theirs["x"], theirs["y"])
    n_inside = [sum(p.is_inside for p in score.points) for score in calibration(material)]
    plots = [calibration_plot(score) for score in calibration(material)]
    assert [len(plot["data"][1]["x"]) for plot in plots] == n_inside
    assert min(n_inside) > 0


def test_text_of_users_is_escaped_everywhere(make_material: MakeMaterial) -> None:
    for medium in ("report", "page"):
        assert "<script>" not in json.dumps(drawn(make_material(label="<script>"), medium))


@pytest.fixture
def crowded(workspace) -> Overview:
    """The first page of a campaign with more runs off the front than are drawn."""
    seen = overview(workspace)
    names = [objective.outcome for objective in seen.campaign.objectives]

    def point(id_: int, x: float, y: float, *, on_front: bool) -> Point:
        means = tuple(
            MeanRecord(id_, name, value, value**2, value - 1.0, value + 1.0, 2)
            for name, value in zip(names, (x, y), strict=True)
        )
        return Point(id_, str(id_), means, on_front)

    dominated = [point(i, 6.0, 50.0, on_front=False) for i in range(1, MAX_POINTS + 11)]
    best = point(MAX_POINTS + 11, 9.0, 90.0, on_front=True)
    volumes = (*((p.id, 0.0) for p in dominated), (best.id, 200.0))
    return replace(seen, points=(*dominated, best), volumes=volumes)


def test_of_a_large_campaign_the_newest_and_the_front_are_drawn(crowded: Overview) -> None:
    (front,) = overview_fronts(crowded)
    assert front.n_hidden == 10
    plot = front_plot(front, "page")
    by_name = {trace.get("name"): trace for trace in plot["data"]}
    assert len(by_name["finished"]["x"]) == MAX_POINTS
    assert by_name["finished"]["customdata"][0] == "/runs/11"
    assert by_name["on the front"]["error_x"]["array"] == [1.0]


def test_only_the_steps_of_the_growth_are_sent(crowded: Overview) -> None:
    plot = progress_plot(overview_growth(crowded), "page")
    assert plot["data"][0]["x"] == [0, 1, MAX_POINTS + 11]
    assert plot["data"][0]["y"] == [0.0, 0.0, 200.0]
    assert plot["layout"]["xaxis"]["title"]["text"] == "finished runs"


def test_one_objective_tells_a_distance(make_material: MakeMaterial, nanofibre: Campaign) -> None:
    single = nanofibre.model_copy(update={"objectives": nanofibre.objectives[:1]})
    plot = progress_plot(hypervolume_growth(make_material(campaign=single)))
    assert plot["layout"]["yaxis"]["title"]["text"] == "best beyond the threshold [MPa]"


def test_a_target_is_drawn_with_both_its_edges(
    make_material: MakeMaterial, nanofibre: Campaign
) -> None:
    target = Objective(
        outcome=nanofibre.objectives[0].outcome, goal="target", target=9, tolerance=2
    )
    campaign = nanofibre.model_copy(update={"objectives": (target, nanofibre.objectives[1])})
    material = make_material(campaign=campaign)
    (front,) = fronts(material)
    assert front.staircase() == []
    upright = [s["x0"] for s in front_plot(front)["layout"]["shapes"] if s["xref"] == "x"]
    assert upright == [7.0, 11.0]
    go.Figure(front_plot(front))
    values = [(p.x, p.y) for p in front.finished]
    for x, y in ((p.x, p.y) for p in front.finished if p.on_front):
        assert not any(abs(a - 9) < abs(x - 9) and b > y for a, b in values)
