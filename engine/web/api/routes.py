"""``/api/v1``, put together."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from engine.web.api import asking, experiments, proposals
from engine.web.api.common import checked, known_names

router = APIRouter(
    prefix="/api/v1",
    dependencies=[Depends(checked), Depends(known_names)],
)
for _module in (proposals, experiments, asking):
    router.include_router(_module.router)
