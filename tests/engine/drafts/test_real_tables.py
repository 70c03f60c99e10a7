"""Published tables of other campaigns: what is drafted from each, and what is to be corrected."""

from __future__ import annotations

import pytest

from engine.drafts.create import create_from_table

# File, runs, parameters, rules, and what is wanted of what. A person would correct in two of them:
# redoxmers, where `ered` and `gsol` are to be low, and in spindb the aim for the diameter.
TABLES = [
    ("campaigns/agnp.csv", 3295, 5, 0, {"loss": "minimize"}),
    ("campaigns/alkox.csv", 208, 4, 0, {"conversion": "maximize"}),
    ("campaigns/autoam.csv", 100, 4, 0, {"score": "maximize"}),
    ("campaigns/p3ht.csv", 233, 5, 1, {"conductivity_measured": "maximize"}),
    ("campaigns/perovskite.csv", 139, 3, 1, {"instability_index": "minimize"}),
    ("campaigns/photo_pce10.csv", 1040, 4, 1, {"degradation": "minimize"}),
    (
        "campaigns/redoxmers.csv",
        1408,
        4,
        0,
        {"abs_lam_diff": "minimize", "ered": "maximize", "gsol": "maximize"},
    ),
    ("campaigns/suzuki_i.csv", 89, 4, 0, {"yield": "maximize", "turnover": "maximize"}),
    ("spindb/cogni_e_spindb.csv", 809, 12, 0, {"fibre_diameter": "minimize"}),
    ("pva_diameter/pva_96.csv", 96, 10, 0, {"fibre_diameter": "minimize"}),
    ("crossed_barrel/Crossed_barrel_dataset.csv", 1800, 4, 0, {"toughness": "maximize"}),
]


@pytest.mark.parametrize(
    ("file", "n_runs", "n_parameters", "n_rules", "wanted"),
    TABLES,
    ids=lambda value: str(value)[:30],
)
def test_a_table_becomes_the_campaign_that_it_was(
    tmp_path, shared_data, file, n_runs, n_parameters, n_rules, wanted
) -> None:
    created = create_from_table(tmp_path / "config.toml", shared_data / file, dry_run=True)
    campaign = created.campaign
    assert created.imported.n_added == n_runs
    assert len(campaign.parameters) == n_parameters
    assert len(campaign.parameter_constraints) == n_rules
    assert {o.outcome: o.goal for o in campaign.objectives} == wanted
