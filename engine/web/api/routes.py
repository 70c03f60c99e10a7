"""``/api/v1``, put together."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from engine.web.addresses import API, CAMPAIGNS
from engine.web.api import (
    asking,
    campaigns,
    corrections,
    curves,
    description,
    experiments,
    proposals,
    readings,
    run_lists,
)
from engine.web.api.common import checked, known_names
from engine.web.campaigns import require_campaign

router = APIRouter(prefix=API, dependencies=[Depends(checked), Depends(known_names)])
router.include_router(campaigns.router)
for _module in (
    description,
    proposals,
    run_lists,
    experiments,
    corrections,
    curves,
    readings,
    asking,
):
    router.include_router(
        _module.router,
        prefix=f"{CAMPAIGNS}/{{campaign}}",
        dependencies=[Depends(require_campaign)],
    )
