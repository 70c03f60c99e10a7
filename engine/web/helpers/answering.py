"""Answers questions about the model: ``python -m engine.web.helpers.answering CONFIG``.

For each campaign it holds a forecaster fitted to everything known. When more becomes known the old
one goes on answering while the next is fitted, and each answer says how many runs it has learned
from.

Lines of JSON in, lines of JSON out; it ends with the server, whose pipe its standard input is.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.errors import DatabaseError
from engine.campaign.history import History
from engine.documents import finite
from engine.documents.predictions import (
    MapOut,
    MeasuredRunOut,
    PredictionsOut,
    SensitivitiesOut,
    SlicesOut,
)
from engine.documents.retrieval import DrawnOut, RetrievedOut
from engine.errors import SpinneretError
from engine.loop import Snapshot, knowledge_for, read_snapshot
from engine.predictions.slices import fingerprint, measured_runs, sensitivities, slices, surface
from engine.web.helpers.messages import error_document
from engine.workspace import Workspace


@dataclass(frozen=True)
class Fitted:
    """A forecaster, what it was fitted to, and the watermark up to which that holds."""

    forecaster: Any
    history: History
    key: str


MOST_CAMPAIGNS = 4
"""Of so many campaigns a fit is held in memory: those that were asked about last."""


class Oracle:
    """Answers one question about a campaign at a time in each thread; fits in one of its own.

    Args:
        workspace: at the campaign.
        fits: held while one fits: several campaigns' fits at once would only slow each other down.
    """

    def __init__(self, workspace: Workspace, fits: threading.Lock) -> None:
        self.workspace = workspace
        self.fits = fits
        self.fitted: Fitted | None = None
        self.problem: tuple[str, Exception] | None = None
        self.watermark: tuple[int, str] | None = None
        self.shares: tuple[str, Any] | None = None
        self.lock = threading.Lock()
        self.fitting: threading.Thread | None = None

    def answer(self, ask: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Answer a question.

        Raises:
            SpinneretError, DatabaseError: as the function asked raises.
        """
        if ask in ("retrieve", "preview"):
            return self._retrieve(params) if ask == "retrieve" else self._preview(params)
        fitted = self._serving()
        if fitted is None:
            return {"fitting": True}
        document = getattr(self, f"_{ask}")(fitted, params)
        return {
            "fitting": False,
            "finished_runs": fitted.history.n_finished,
            "is_newest": self.fitting is None or not self.fitting.is_alive(),
            **document,
        }

    def _serving(self) -> Fitted | None:
        """Return the forecaster to ask, and see that the next is fitted where there is more."""
        with self.workspace.database.read() as tx:
            watermark = tx.watermark()
        with self.lock:
            # A change's number is one query; the history is read only where it moved.
            if self.watermark is None or self.watermark[0] != watermark:
                snapshot = read_snapshot(self.workspace)
                # By content: many changes (a note, a user, another campaign's runs) teach the model
                # nothing.
                key = fingerprint(snapshot.history, str(snapshot.checkpoint))
                self.watermark = (snapshot.watermark, key)
                is_known = self.fitted is not None and self.fitted.key == key
                # What could not be fitted is not tried again with the very same data.
                is_hopeless = self.problem is not None and self.problem[0] == key
                idle = self.fitting is None or not self.fitting.is_alive()
                if not is_known and not is_hopeless and idle:
                    self.fitting = threading.Thread(
                        target=self._fit, args=(snapshot, key), daemon=True
                    )
                    self.fitting.start()
                elif not is_known and not is_hopeless:
                    self.watermark = None  # looked at again when the present fit is done
            if self.problem is not None and self.problem[0] == self.watermark_key:
                raise self.problem[1]
            return self.fitted

    @property
    def watermark_key(self) -> str | None:
        """What is known now, as one fingerprint."""
        return None if self.watermark is None else self.watermark[1]

    def _fit(self, snapshot: Snapshot, key: str) -> None:
        with self.fits:
            self._fit_now(snapshot, key)

    def _fit_now(self, snapshot: Snapshot, key: str) -> None:
        try:
            from engine.compute import limit_threads
            from engine.propose.forecaster import Forecaster

            settings = self.workspace.settings.propose
            limit_threads(self.workspace.settings.compute.threads)
            knowledge = knowledge_for(snapshot.campaign, settings.strategy, snapshot.checkpoint)
            forecaster = Forecaster.fit(snapshot.history, settings, knowledge=knowledge)
        except (SpinneretError, DatabaseError) as error:
            self.problem = (key, error)
        else:
            self.fitted, self.problem = Fitted(forecaster, snapshot.history, key), None

    def _predict(self, fitted: Fitted, params: Mapping[str, Any]) -> dict[str, Any]:
        from engine.predictions.predict import ask

        level = params.get("level") or self.workspace.settings.propose.level
        predictions = ask(
            fitted.forecaster,
            fitted.history,
            params["conditions"],
            level,
            drives=bool(params.get("drives")),
        )
        return PredictionsOut.build(predictions).plain()

    def _slices(self, fitted: Fitted, params: Mapping[str, Any]) -> dict[str, Any]:
        level = self.workspace.settings.propose.level
        cuts = slices(fitted.forecaster, params["conditions"], params["outcome"], level)
        measured = measured_runs(fitted.history, params["outcome"])
        document = {"level": level, "slices": cuts, "measured": measured}
        return SlicesOut.model_validate(document).plain()

    def _map(self, fitted: Fitted, params: Mapping[str, Any]) -> dict[str, Any]:
        over = surface(
            fitted.forecaster, params["conditions"], params["outcome"], params["x"], params["y"]
        )
        measured = tuple(
            map(MeasuredRunOut.model_validate, measured_runs(fitted.history, params["outcome"]))
        )
        return MapOut.model_validate(over).model_copy(update={"measured": measured}).plain()

    def _sensitivities(self, fitted: Fitted, params: Mapping[str, Any]) -> dict[str, Any]:
        if self.shares is None or self.shares[0] != fitted.key:
            shares = SensitivitiesOut.model_validate(sensitivities(fitted.forecaster))
            self.shares = (fitted.key, shares.plain())
        return dict(self.shares[1])

    def _preview(self, params: Mapping[str, Any]) -> dict[str, Any]:
        from engine.previews.on_demand import drawn_now

        n, seed = int(params.get("n") or 3), int(params.get("seed") or 0)
        forecasts, reason = self._forecast_for_preview(params["conditions"])
        drawn = drawn_now(self.workspace, params["conditions"], n=n, seed=seed, forecasts=forecasts)
        if reason is not None:
            drawn["warnings"].append(reason)
        return DrawnOut.model_validate(drawn).plain()

    def _forecast_for_preview(
        self, conditions: Mapping[str, Any]
    ) -> tuple[list[Mapping[str, Any]], str | None]:
        """Return the forecast that a preview shows too, or why there is none to show."""
        from engine.predictions.forecast_diameter import not_forecast
        from engine.previews.diameter import measured_diameter

        with self.workspace.database.read() as tx:
            _, campaign = self.workspace.active_campaign(tx)
        if measured_diameter(campaign) is None:
            return [], None
        if reason := not_forecast(campaign, conditions):
            return [], reason
        try:
            fitted = self._serving()
        except SpinneretError as error:
            return [], f"the diameter is the generator's own: {error}"
        if fitted is None:
            return [], "the diameter is the generator's own until the model is fitted"
        return [*fitted.forecaster.predict([conditions])], None

    def _retrieve(self, params: Mapping[str, Any]) -> dict[str, Any]:
        from engine.retrieval.search import by_conditions, by_micrograph

        k = int(params.get("k") or 6)
        gallery: Any = params.get("gallery") or "campaign"
        if params.get("file"):
            from engine.micrographs.opened import open_micrograph
            from engine.micrographs.scale import HowTaken

            picture = open_micrograph(
                Path(params["file"]),
                HowTaken.from_params(params),
                max_megapixels=self.workspace.settings.storage.max_image_megapixels,
            )
            retrieved = by_micrograph(self.workspace, picture, k=k, scope=gallery)
        else:
            retrieved = by_conditions(self.workspace, params["conditions"], k=k, scope=gallery)
        document = RetrievedOut.build(retrieved).plain()
        for match in document["items"]:
            match["path"] = Path(match["path"]).name  # where it lies here is nobody else's business
        return document


class Oracles:
    """One for each campaign that is asked about."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.oracles: OrderedDict[int | None, Oracle] = OrderedDict()
        self.lock, self.fits = threading.Lock(), threading.Lock()

    def find(self, campaign_id: int | None) -> Oracle:
        """Return the one that answers about a campaign."""
        with self.lock:
            oracle = self.oracles.get(campaign_id)
            if oracle is None:
                workspace = self.workspace
                if campaign_id is not None:
                    workspace = workspace.in_campaign(campaign_id)
                oracle = self.oracles[campaign_id] = Oracle(workspace, self.fits)
            self.oracles.move_to_end(campaign_id)
            while len(self.oracles) > MOST_CAMPAIGNS:
                self.oracles.popitem(last=False)
            return oracle


def main(config: str) -> None:
    """Answer until the server is gone."""
    # The pipe under another number, before anything else can write to number 1.
    out, lock = os.fdopen(os.dup(1), "w", encoding="utf-8"), threading.Lock()
    os.dup2(2, 1)  # what a library prints is no answer

    def reply(line: str) -> None:
        question = json.loads(line)
        document: dict[str, Any]
        try:
            oracle = oracles.find(question["campaign"])
            document = {"answer": finite(oracle.answer(question["ask"], question["params"]))}
        except (SpinneretError, DatabaseError) as error:
            document = error_document(error)
        except Exception as error:  # a fault of the program must not stop the others' answers
            document = error_document(RuntimeError(repr(error)))
        with lock:
            out.write(json.dumps({"id": question["id"], **document}) + "\n")
            out.flush()

    with Workspace.open(Path(config)) as workspace:
        oracles = Oracles(workspace)
        pool = ThreadPoolExecutor(2)  # a preview takes seconds; the sliders go on meanwhile
        for line in sys.stdin:
            pool.submit(reply, line)
        # At once: a fit in another thread would hold the process up for minutes.
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
