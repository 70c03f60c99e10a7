"""One campaign from init to a second folder: commands in this process, every answer checked."""

from __future__ import annotations

import contextlib
import csv
import json
import traceback
from pathlib import Path
from random import Random
from typing import Any

import checks
from checks import Key, Question, key_of
from configuration import configuration_of
from parameters import Value
from plans import FAILURES, Plan, Run
from revisions import revise
from tables import write_table
from terminal import Terminal
from words import draw_labels, draw_note

MISTAKES = (
    ("propose", "-n", "0"), ("propose", "-n", "101"), ("propose", "--strategy", "magic"),
    ("propose", "--fix", "nonsense=1"), ("predict",), ("export", "all.doc"),
    ("log", "1", "nonsense=3"), ("report", "--nonsense"),
)  # fmt: skip
FAILING = (
    ("import", "missing.csv"),
    ("replay", "99999"),
    ("show", "99999"),
    ("export", "no/x.csv"),
)


class Journey(Terminal):
    """What is done with one campaign."""

    def __init__(self, plan: Plan, folder: Path, *, is_thorough: bool = True) -> None:
        super().__init__()
        self.plan, self.folder, self.is_thorough = plan, folder, is_thorough
        self.luck = Random(plan.seed + 1_000_000)  # noqa: S311 -- no secret
        self.runs = list(plan.runs)

    def travel(self) -> None:
        """Do everything; a fault of this script is a problem, too."""
        self.folder.mkdir(parents=True)
        (self.folder / "config.toml").write_text(configuration_of(self.plan), encoding="utf-8")
        with contextlib.chdir(self.folder):
            try:
                self._stages()
            except Exception:
                self.problems.append(f"the soak itself: {traceback.format_exc(limit=-3)}")

    def _stages(self) -> None:
        if self.call("init") is None or not self._bring():
            return
        for strategy in self._strategies():
            self._propose(strategy)
            if self.luck.random() < 0.25:
                self._edit()
        self._log_new()
        self._revise_results()
        self._err()
        self._predict()
        self._read()
        self._move()

    # -- the past, in and out ------------------------------------------------------------------

    def _bring(self) -> bool:
        """Import past runs: looked at, brought, and brought once more."""
        if not self.runs:
            return True
        path = write_table(self.plan, self.plan.runs, self.folder, self.luck)
        for words, added in ((("--dry-run",), len(self.runs)), ((), len(self.runs)), ((), 0)):
            report = self.ask("import", path.name, *words)
            if report is None:
                return False
            if (report["added"], report["extended"], report["changed"]) != (added, 0, 0):
                counts = {key: report[key] for key in ("added", "extended", "changed", "unchanged")}
                self.note(f"import {words}", [f"{counts}, expected {added} added"])
        return self._compare("after the import")

    def _compare(self, moment: str) -> bool:
        document = self._exported()
        problems = (
            ["no export"] if document is None else checks.record_problems(self.runs, document)
        )
        self.note(moment, problems)
        return not problems

    def _exported(self) -> Any:
        result = self.call("export", "--format", "json")
        return None if result is None else json.loads(result.stdout)

    def _edit(self) -> None:
        """Edit the campaign and record the revision."""
        self.plan = revise(self.plan, self.luck)
        Path("config.toml").write_text(configuration_of(self.plan), encoding="utf-8")
        self.call("campaign", "revise", "--note", draw_note(self.luck) or "wider")

    # -- batches -------------------------------------------------------------------------------

    def _strategies(self) -> list[str]:
        cheap = self.luck.choices(("sobol", "nsga2"), k=1 + self.is_thorough)
        return [*cheap, self.luck.choices(("gp", "matmcl", "ax"), (10, 5, 1))[0]]

    def _earlier(self) -> set[Key]:
        """Return what was run or is to be run; an abandoned run may come again."""
        runs = [run for run in self.runs if run.status != "abandoned"]
        return {key_of(self.plan, run.conditions) for run in runs}

    def _question(self, strategy: str) -> Question:
        luck, plan = self.luck, self.plan
        fixed: dict[str, Value] = {}
        if luck.random() < 0.3:
            setting = plan.draw_setting(luck)
            name = luck.choice(sorted(setting))
            fixed = {name: setting[name]}
            parent = next((p.only_if for p in plan.controlled if p.name == name), None)
            if parent is not None:  # a value is held where there is one
                fixed[parent.name] = setting[parent.name]
        room = {name: value for name, value in plan.draw_room(luck).items() if luck.random() < 0.4}
        limits = (
            {luck.choice(plan.controlled).name: luck.randint(1, 3)} if luck.random() < 0.15 else {}
        )
        n = luck.randint(1, 6 if self.is_thorough else 3)
        return Question(n, strategy, fixed, room, limits)

    def _propose(self, strategy: str) -> None:
        question, earlier = self._question(strategy), self._earlier()
        words = ["propose", "-n", question.n, "--strategy", strategy, "--no-preview"]
        words += ["--seed", self.luck.randrange(1000), "--csv", "sheet.csv"]
        words += [w for name, value in question.fixed.items() for w in ("--fix", f"{name}={value}")]
        words += [w for name, value in question.room.items() for w in ("--at", f"{name}={value}")]
        words += [
            w for name, n in question.limits.items() for w in ("--max-distinct", f"{name}={n}")
        ]
        is_room_open = len(question.room) < len(self.plan.ambient)
        words += ["--robust"] if self.luck.random() < 0.2 and is_room_open else []
        words += ["--explore"] if self.luck.random() < 0.1 else []
        document = self.ask(*words, exits=checks.exit_codes(self.plan, question, earlier))
        if document is None:
            return
        step = " ".join(map(str, words))
        self.note(step, checks.batch_problems(self.plan, document, question, earlier))
        proposals = sorted(document["proposals"], key=lambda proposal: proposal["experiment"])
        for proposal in proposals:
            self.runs.append(
                Run(None, {**proposal["conditions"], **proposal["ambient"]}, {}, "proposed")
            )
            if proposal["experiment"] != len(self.runs):
                self.note(step, [f"run {proposal['experiment']} is number {len(self.runs)}"])
        if self.luck.random() < (0.5 if self.is_thorough else 0.2):
            self.call("replay", document["batch"])
        ids = [proposal["experiment"] for proposal in proposals]
        if self.luck.random() < 0.3:
            self._log_sheet(ids)
        else:
            for id_ in ids:
                self._log(id_)

    def _log(self, id_: int) -> None:
        """Record what became of a run."""
        luck, run = self.luck, self.runs[id_ - 1]
        words: list[object] = ["log", f"id:{id_}"]
        fate = luck.random()
        if fate < 0.15:
            return
        if fate < 0.25:
            run.status, run.failure = "failed", luck.choice(FAILURES)
            words += ["--failed", run.failure]
        elif fate < 0.3:
            run.status = "abandoned"
            words += ["--abandon"]
        elif fate < 0.35:
            run.status = "running"
            words += ["--running"]
        else:
            for parameter in self.plan.parameters:
                is_free = parameter.name in run.conditions.keys() - self.plan.parents
                if is_free and luck.random() < 0.1:
                    run.actual[parameter.name] = parameter.draw(luck)
                    option = "--at" if parameter.role == "ambient" else "--actual"
                    words += [option, f"{parameter.name}={run.actual[parameter.name]}"]
            words += self._results(run)
        run.note = draw_note(luck)
        self.call(*words, *(["--note", run.note] if run.note else []))

    def _results(self, run: Run) -> list[str]:
        values = self.plan.measure(run.conditions, self.luck)
        run.status, run.results = "completed", {name: [value] for name, value in values.items()}
        return [f"{name}={value!r}" for name, value in values.items()]

    def _log_sheet(self, ids: list[int]) -> None:
        """Fill the worksheet in and bring it back."""
        with Path("sheet.csv").open(encoding="utf-8-sig", newline="") as file:
            headings, *rows = csv.reader(file)
        units = {o.name: f"{o.name} [{o.unit}]" if o.unit else o.name for o in self.plan.outcomes}
        # Where a parameter is called `experiment`, the file's own column is not.
        own = "run experiment" if "run experiment" in headings else "experiment"
        for row in rows:
            run = self.runs[int(row[headings.index(own)]) - 1]
            self._results(run)
            for name, (value,) in run.measured.items():
                row[headings.index(units[name])] = repr(value)
        with Path("sheet.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([headings, *rows])
        if len(rows) != len(ids):
            self.note("worksheet", [f"{len(rows)} rows, expected {len(ids)}"])
        self.call("log", "--file", "sheet.csv")

    def _log_new(self) -> None:
        """Record a run that nobody proposed, under a label."""
        conditions = {**self.plan.draw_setting(self.luck), **self.plan.draw_room(self.luck)}
        taken = {run.label for run in self.runs}
        label = next(word for word in draw_labels(self.luck, len(taken) + 1) if word not in taken)
        run = Run(label, {}, conditions, "completed")
        words = ["log", "--new", *(f"{name}={value}" for name, value in conditions.items())]
        if self.call(*words, *self._results(run), "--label", label) is not None:
            self.runs.append(run)

    def _revise_results(self) -> None:
        """A further replicate, a correction, and one that is taken back again."""
        finished = [n for n, run in enumerate(self.runs, 1) if run.measured]
        if not finished:
            return
        id_ = self.luck.choice(finished)
        run = self.runs[id_ - 1]
        name = self._name_of(id_)
        values = self.plan.measure(run.conditions, self.luck)
        words = [f"{outcome}={value!r}" for outcome, value in values.items()]
        if self.call("log", name, "--replicate", *words) is not None:
            for outcome, value in values.items():
                run.add_replicate(outcome, value)
        outcome = self.luck.choice(sorted(run.measured))
        index, value = next((i, v) for i, v in enumerate(run.results[outcome]) if v is not None)
        other = float(f"{value * 1.25 + 0.001:.6g}")
        self.call("log", name, "--correct", "--which", index + 1, f"{outcome}={other!r}")
        if self.luck.random() < 0.5:
            self.call("undo")
        else:
            run.results[outcome][index] = other
        if self.luck.random() < 0.2:
            gone = self.luck.choice(sorted(run.measured))
            if len(run.measured) > 1 and self.call("log", name, "--retract", gone) is not None:
                del run.results[gone]
        self._compare("after corrections")

    def _name_of(self, id_: int) -> str:
        """Return the run's number or label as somebody would give it."""
        label = self.runs[id_ - 1].label
        return f"label:{label}" if label and self.luck.random() < 0.5 else f"id:{id_}"

    # -- mistakes ------------------------------------------------------------------------------

    def _err(self) -> None:
        """Make mistakes; each is refused, and nothing is written."""
        before = self._exported()
        outcome, parameter = self.plan.outcomes[0].name, self.plan.controlled[0]
        beyond = "nonsense" if parameter.is_named else parameter.place_beyond
        for words in self.luck.sample(MISTAKES, 2):
            self.call(*words, exits={2})
        self.call("propose", "--fix", f"{parameter.name}={beyond}", exits={2})
        self.call(*self.luck.choice(FAILING), exits={1})
        self.call("log", "id:99999", f"{outcome}=1", exits={1})
        self.call("log", "id:1", f"{outcome}=12,5x", exits={1, 2})
        broken = Run(None, {}, dict(self.plan.anchor), "completed", {outcome: [1.0]})
        broken.actual[parameter.name] = "nonsense"
        path = write_table(self.plan, (*self.plan.runs, broken), self.folder, self.luck)
        self.call("import", path.name, exits={1})
        if self._exported() != before:
            self.note("mistakes", ["something was written"])

    # -- answers -------------------------------------------------------------------------------

    def _predict(self) -> None:
        plan, luck = self.plan, self.luck
        learnable = checks.learnable(plan, self.runs)
        exits = {0} if learnable else {0, 1}
        setting = {**plan.draw_setting(luck), **plan.draw_room(luck)}
        stated = [w for name, value in setting.items() for w in ("--set", f"{name}={value}")]
        document = self.ask("predict", *stated, exits=exits)
        self.note(
            "predict --set",
            [] if document is None else checks.prediction_problems(plan, document, 1),
        )
        rows = tuple(Run(None, {}, plan.draw_setting(luck), "running") for _ in range(3))
        path = write_table(plan, rows, self.folder, luck)
        for command in (("predict", "--file", path.name), ("score", path.name)):
            may_fail = command[0] == "score" and not learnable & {
                o.outcome for o in plan.objectives
            }
            document = self.ask(*command, exits={0, 1} if may_fail else exits)
            problems = [] if document is None else checks.prediction_problems(plan, document, 3)
            self.note(" ".join(command), problems)

    def _read(self) -> None:
        """Look at everything: tables on screen, the report, the doctor."""
        for words in (
            ("status",),
            ("status", "--json"),
            ("show", "id:1"),
            ("campaign", "show"),
            ("doctor",),
        ):
            self.call(*words, exits={0, 1} if words[0] == "show" and not self.runs else None)
        if self.call("report", "--out", "report.html") is not None:
            page = Path("report.html").read_text(encoding="utf-8")
            if "<script>alert" in page or "49 " in page.partition("{{ 7 * 7 }}")[0][-3:]:
                self.note("report", ["a note was taken for code"])

    def _move(self) -> None:
        """Export, import into a fresh folder, export there: the same."""
        before = self._exported()
        for suffix in ("csv", "xlsx", "json") if self.is_thorough else ("csv",):
            self.call("export", f"all.{suffix}")
            copy = self.folder / f"copy-{suffix}"
            copy.mkdir()
            (copy / "config.toml").write_text(configuration_of(self.plan), encoding="utf-8")
            with contextlib.chdir(copy):
                self.call("init")
                for added in (len(self.runs), 0):
                    report = self.ask("import", f"../all.{suffix}")
                    if report is None:
                        break
                    if (report["added"], report["extended"], report["changed"]) != (added, 0, 0):
                        self.note(f"import of {suffix}", [f"{report}"[:300]])
                self._compare(f"in a fresh folder, from {suffix}")
        for suffix in ("csv", "json"):
            report = self.ask("import", f"all.{suffix}") if Path(f"all.{suffix}").exists() else None
            if report is not None and report["added"] + report["extended"] + report["changed"]:
                self.note(f"own {suffix} again", [f"{report}"[:300]])
        if self._exported() != before:
            self.note("own export again", ["something was written"])
