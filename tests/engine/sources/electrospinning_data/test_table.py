"""Records with anything in them: a table of what can be read, or one clear error."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from public_database import record

from engine.campaign import Campaign
from engine.errors import SpinneretError
from engine.sources.electrospinning_data.table import DataRequest, table_of

pytest.importorskip("electrospinning_data_client", reason="needs the extra `data`")

NEEDLE = {"needleType": "Single Needle", "needleDefinition": {"size": 22.0, "unit": "G"}}
COLLECTOR = {"collectorDefinition": {"rotationSpeed": 300.0, "rotationSpeedUnit": "rpm"}}
WHOLE = record(1, needleProperty=NEEDLE, collectorProperty=COLLECTOR)
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers()),
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document, by its keys."""
    if not isinstance(value, dict | list):
        return [path]
    children = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(p for key, child in children for p in places(child, (*path, key)))]


PLACES = [path for path in places(WHOLE) if path]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(path=st.sampled_from(PLACES), junk=JUNK)
def test_one_odd_record_costs_no_other(
    nanofibre: Campaign, path: tuple[Any, ...], junk: Any
) -> None:
    document = copy.deepcopy(WHOLE)
    target = document
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = junk
    request = DataRequest(polymers=("PAN",))
    table = table_of([document, record(2)], nanofibre, request, {"temperature": "°C"})
    assert "record 2," in table.text
    assert all(text.isprintable() for text in (*table.works, *table.notes))


def test_nothing_but_odd_records_is_one_error(nanofibre: Campaign) -> None:
    with pytest.raises(SpinneretError, match="no record that can be read"):
        table_of([3, "x", None, {}], nanofibre, DataRequest(), {})
