"""Make the starter that ships with the package: a generator trained on the virtual lab.

``python -m engine.previews.make_starter --work FOLDER`` writes ``engine/previews/starter/``. Every
stage is kept in the working folder; the same command goes on where it was killed, to the same
weights. It has seen the virtual lab's laws at settings drawn with its own seed; benchmarks draw
others.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from engine.previews.encoders import (
    NM_PER_PIXEL,
    EncoderBudget,
    encoder_config,
    encoder_vocabulary,
    train_encoders,
)
from engine.previews.lessons import Lessons, draw_lessons
from engine.previews.serving_generator import ENCODERS, STARTER
from engine.previews.training import (
    Recipe,
    fingerprint,
    generator_data,
    save_together,
    size_of,
    train_generator,
)
from generator.checkpoint import load_grown, read_card
from generator.config import GeneratorConfig
from generator.data import GeneratorData
from surrogate.files import whole_file
from surrogate.matmcl.checkpoint import CARD, load_checkpoint, save_checkpoint
from surrogate.matmcl.checkpoint import read_card as read_encoders
from surrogate.matmcl.model import MatMCL

STANDARD, WIDE, ENCODER_STEPS, UNET_STEPS = 8000, 3000, 1000, 7000
# It goes into the wheel, which everybody downloads.
MAX_BYTES = 16 * 2**20
_LOG_EVERY_S = 30.0
_EMBEDDED = ("pictures", "embeddings", "conditions", "statistics")
_FIELDS = ("tiles", "shown", "table", "promised")


def make_starter(
    folder: Path,
    work: Path,
    *,
    standard: int = STANDARD,
    wide: int = WIDE,
    encoder_steps: int = ENCODER_STEPS,
    recipe: Recipe | None = None,
    seed: int = 0,
    start: Path | None = None,
    command: str = "",
) -> str:
    """Draw lessons, train encoders, prior and UNet, write the generator; return its SHA-256.

    Args:
        folder: where the generator goes.
        work: where the stages are kept.
        standard: runs of the virtual lab to learn from.
        wide: mats of other simulated labs beside them.
        encoder_steps: of the encoders' training.
        recipe: shape and budgets of the generator.
        seed: of everything.
        start: a generator to train on from, with its encoders; ``None``: everything anew.
        command: how it was called, for the model card.
    """
    recipe = (recipe or Recipe()).with_seed(seed)
    work.mkdir(parents=True, exist_ok=True)
    lessons = _lessons(work, recipe.config, standard, wide, seed)
    parent = None
    if start is None:
        model = _encoders(work, lessons, recipe.config, encoder_steps, seed)
    else:
        model = load_checkpoint(start / ENCODERS)
        sha256 = read_encoders(start / ENCODERS).sha256
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            parent = load_grown(start, recipe.config, encoders_sha256=sha256)
    data = _data(work, model, lessons, recipe.config, seed)

    pipeline = train_generator(model, data, recipe, work=work, start=parent, progress=_Log())
    extra = {
        **({} if start is None else {"parent": read_card(start).sha256}),
        "command": command,
        "standard": standard,
        "wide": wide,
        "encoder_steps": encoder_steps,
    }
    return save_together(
        folder,
        pipeline,
        model,
        recipe,
        extra=extra,
        readme=model_card(recipe, extra),
        watermark=f"virtual lab, {standard} runs and {wide} other mats, seed {seed}",
    )


def encoders_side(config: GeneratorConfig) -> int:
    """Return how many pixels a side the encoders see of a generator's field of view."""
    return round(config.side_px * config.nm_per_pixel / NM_PER_PIXEL)


def _lessons(work: Path, config: GeneratorConfig, standard: int, wide: int, seed: int) -> Lessons:
    side = encoders_side(config)
    folder = lessons_folder(work, config, standard, wide, seed)
    last_file = folder / "promised.npy"
    if not last_file.is_file():
        folder.mkdir(exist_ok=True)
        lessons = draw_lessons(
            encoder_vocabulary(),
            standard=standard,
            wide=wide,
            side_px=side,
            nm_per_pixel=NM_PER_PIXEL,
            seed=seed,
            progress=_Log(),
        )
        for name in _FIELDS:  # the last one tells that all are there
            with whole_file(folder / f"{name}.npy") as draft:
                np.save(draft, getattr(lessons, name))
    return read_lessons(folder)


def lessons_folder(
    work: Path, config: GeneratorConfig, standard: int, wide: int, seed: int
) -> Path:
    """Return where the pictures to learn from are kept."""
    return work / f"lessons-{standard}-{wide}-{encoders_side(config)}-{seed}"


def read_lessons(folder: Path) -> Lessons:
    """Read what is kept in a folder.

    Raises:
        OSError, ValueError: a file is not there or damaged.
    """
    return Lessons(*(np.load(folder / f"{name}.npy", allow_pickle=False) for name in _FIELDS))


def _encoders(
    work: Path, lessons: Lessons, config: GeneratorConfig, steps: int, seed: int
) -> MatMCL:
    folder = work / f"encoders-{steps}-{seed}"
    if not (folder / CARD).is_file():
        encoders = train_encoders(
            lessons,
            encoder_config(encoders_side(config), config.embedding_dim),
            EncoderBudget(steps=steps, seed=seed),
            progress=_Log(),
        )
        save_checkpoint(folder, encoders, seed=seed)
    return load_checkpoint(folder)


def _data(
    work: Path, model: MatMCL, lessons: Lessons, config: GeneratorConfig, seed: int
) -> GeneratorData:
    """Embed pictures and conditions, or read what was embedded by the very same encoders."""
    # In the name: embeddings of other encoders are another file, and never mixed up.
    digest = fingerprint(model.state_dict())[:16]
    path = work / f"embedded-{digest}-{config.side_px}-{len(lessons.tiles)}-{seed}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as stored:
            return GeneratorData(**{name: torch.from_numpy(stored[name]) for name in _EMBEDDED})
    _say("embedding pictures and conditions")
    data = generator_data(model, lessons, config.side_px, seed=seed)
    with whole_file(path) as draft:
        np.savez(draft, **{name: getattr(data, name).numpy() for name in _EMBEDDED})
    return data


def model_card(recipe: Recipe, extra: Mapping[str, object]) -> str:
    """Return the model card for people; scores are added by whoever measures them."""
    c = recipe.config
    return f"""# Starter generator of micrographs

Draws what a scanning electron microscope would show of an electrospun mat:
{c.side_px} × {c.side_px} pixels of {c.nm_per_pixel:g} nm, grey, the collector's rotation along the
width.

- **Parts**: encoders (a MatMCL model: table f_t, pictures f_v), a prior from f_t's latent to f_v's,
  a UNet that draws by f_v's latent ({c.fold} × {c.fold} pixels folded into channels), DPM-Solver++.
- **Trained on** {extra["standard"]} runs of the virtual lab (`engine/lab`), each with a lot of its
  own, and {extra["wide"]} mats of other simulated labs, which the prior has not seen. No measured
  micrograph.
- **Made by** `{extra["command"]}`:
  UNet {recipe.unet.steps} steps of {recipe.unet.batch} pictures, prior {recipe.prior.steps} of
  {recipe.prior.batch}, encoders {extra["encoder_steps"]}; seed {recipe.unet.seed}.
- **Meant for** trying the engine, and to be fine-tuned on a lab's own micrographs. What it says of
  another lab's machine is what the virtual lab would have spun.

Scores stand in `docs/benchmarks.md`, section *Previews*.
"""


class _Log:
    """Progress as lines with the time, half a minute apart at least."""

    def __init__(self) -> None:
        self._started = self._reported = time.perf_counter()

    def __call__(
        self,
        stage: str,
        completed: int = 0,
        total: int = 0,
        numbers: Mapping[str, float] | None = None,
    ) -> None:
        moment = time.perf_counter()
        if completed < total and moment - self._reported < _LOG_EVERY_S:
            return
        self._reported = moment
        figures = "".join(f", {name} {value:.4g}" for name, value in (numbers or {}).items())
        _say(f"{stage} {completed}/{total}{figures}, {(moment - self._started) / 60:.0f} min")


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def _shape(options: argparse.Namespace) -> GeneratorConfig:
    """Return the generator's shape; places of the coarsest level look at one another."""
    channels = tuple(int(word) for word in options.channels.split(","))
    return GeneratorConfig(
        side_px=options.side,
        nm_per_pixel=options.nm,
        fold=options.fold,
        is_laid=options.laid,
        channels=channels,
        # Attention costs the square of the places: on the coarsest level only.
        attention=(*(False for _ in channels[1:]), True),
    )


def main() -> None:
    """Make the starter from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=STARTER, help="folder of the generator")
    parser.add_argument("--work", type=Path, required=True, help="folder of what is done so far")
    parser.add_argument("--standard", type=int, default=STANDARD)
    parser.add_argument("--wide", type=int, default=WIDE)
    parser.add_argument("--encoder-steps", type=int, default=ENCODER_STEPS)
    parser.add_argument("--steps", type=int, default=UNET_STEPS, help="of the UNet")
    parser.add_argument("--fold", type=int, default=4, help="pixels a side that become channels")
    parser.add_argument("--channels", default="64,128", help="of the UNet's levels, finest first")
    parser.add_argument(
        "--start", type=Path, help="a generator to train on from, with its encoders"
    )
    parser.add_argument(
        "--laid", action="store_true", help="lay fibres by rule; the UNet draws the micrograph"
    )
    parser.add_argument("--rate", type=float, default=1e-3, help="peak of the UNet's learning rate")
    parser.add_argument("--ema", type=float, default=0.998, help="decay of the averaged weights")
    parser.add_argument("--prior-steps", type=int, default=1500)
    parser.add_argument("--until", type=int, help="stop after this step of the UNet, for now")
    parser.add_argument("--side", type=int, default=64, help="pixels a side")
    parser.add_argument("--nm", type=float, default=120.0, help="nm per pixel, a multiple of 60")
    parser.add_argument("--batch", type=int, default=4, help="pictures of a step of the UNet")
    parser.add_argument("--precision", default="bf16", help="auto, no or bf16 (UNet)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    # One thread on a CPU: sums in several come out in another order, and with them other weights.
    torch.set_num_threads(1 if options.device == "cpu" or not torch.cuda.is_available() else 4)
    plain = Recipe(config=_shape(options))
    recipe = replace(
        plain,
        until=options.until,
        # An MLP of a few layers gains nothing from bfloat16.
        prior=replace(
            plain.prior, steps=options.prior_steps, device=options.device, precision="no"
        ),
        unet=replace(
            plain.unet,
            steps=options.steps,
            batch=options.batch,
            learning_rate=options.rate,
            ema=options.ema,
            checkpoint_every=100,
            device=options.device,
            precision=options.precision,
        ),
    )
    command = (
        f"python -m engine.previews.make_starter --standard {options.standard} "
        f"--wide {options.wide} --encoder-steps {options.encoder_steps} --steps {options.steps} "
        + (f"--until {options.until} " if options.until else "")
        + ("--start FOLDER " if options.start else "")
        + ("--laid " if options.laid else "")
        + f"--batch {options.batch} --rate {options.rate:g} --ema {options.ema:g} "
        f"--prior-steps {options.prior_steps} "
        f"--fold {options.fold} --channels {options.channels} "
        f"--side {options.side} --nm {options.nm:g} --precision {options.precision} "
        f"--seed {options.seed}"
    )
    sha256 = make_starter(
        options.out,
        options.work,
        standard=options.standard,
        wide=options.wide,
        encoder_steps=options.encoder_steps,
        recipe=recipe,
        seed=options.seed,
        start=options.start,
        command=command,
    )
    size = size_of(options.out)
    _say(f"{options.out}: generator {sha256[:12]}, {size:,} bytes")
    if size > MAX_BYTES:
        raise SystemExit(f"expected at most {MAX_BYTES} bytes to ship, got {size}")


if __name__ == "__main__":
    main()
