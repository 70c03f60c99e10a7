"""Files cut short, shuffled, re-encoded: right values or a clear error, never made-up ones."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensile_files import FORMATS, GAUGE_MM, THICKNESS_MM, WIDTH_MM, Format, Made

from engine.campaign.curve_definitions import PROPERTIES
from engine.curves.properties.evaluate import evaluate
from engine.curves.reading.read import read_curves
from engine.curves.reading.records import Specimen
from engine.curves.stress_strain import tensile_curve
from engine.errors import DataError

SIZES = Specimen(WIDTH_MM, THICKNESS_MM, GAUGE_MM)
SMALL = Made(n_points=300)
TEXTS = [form for form in FORMATS if form.encoding != "workbook"]
TRUTH = {
    "fracture_strength": SMALL.strength_mpa,
    "yield_strength": SMALL.offset_yield(0.02),
    "elastic_modulus": SMALL.modulus_mpa,
    "tangent_modulus": SMALL.tangent_mpa,
    "elongation": 100 * SMALL.break_strain,
}
quick = settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))


def content_of(form: Format) -> bytes:
    return form.write((SMALL,) * form.n_specimens)


CONTENTS = {form.file: content_of(form) for form in TEXTS}


def assert_right_or_refused(name: str, content: bytes, form: Format) -> None:
    try:
        file = read_curves(name, content)
    except DataError:
        return
    for raw in file.curves:
        curve = tensile_curve(raw, None if form.has_sizes else SIZES)
        evaluation = evaluate(curve)
        for name_ in PROPERTIES:
            value = evaluation.value(name_)
            if value is not None and curve.has_strain and curve.has_stress:
                assert value == pytest.approx(TRUTH[name_], rel=0.03), (name_, raw.notes)


@pytest.mark.parametrize("form", TEXTS, ids=lambda form: form.file)
@quick
@given(share=st.floats(0, 1))
def test_cut_short_anywhere(form: Format, share: float) -> None:
    content = CONTENTS[form.file]
    assert_right_or_refused(form.file, content[: int(share * len(content))], form)


@pytest.mark.parametrize("form", TEXTS, ids=lambda form: form.file)
@quick
@given(share=st.floats(0, 1))
def test_beginning_lost(form: Format, share: float) -> None:
    content = CONTENTS[form.file]
    assert_right_or_refused(form.file, content[int(share * len(content)) :], form)


@pytest.mark.parametrize("form", TEXTS, ids=lambda form: form.file)
@quick
@given(seed=st.integers(0, 10**6), n_moves=st.integers(1, 30))
def test_lines_shuffled(form: Format, seed: int, n_moves: int) -> None:
    encoding = "utf-8-sig" if CONTENTS[form.file].startswith(b"\xef\xbb\xbf") else form.encoding
    lines = CONTENTS[form.file].decode(encoding).splitlines()
    rng = random.Random(seed)  # noqa: S311 -- shuffles a file
    for _ in range(n_moves):
        i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
        lines[i], lines[j] = lines[j], lines[i]
    assert_right_or_refused(form.file, ("\n".join(lines) + "\n").encode(encoding), form)


@pytest.mark.parametrize("form", TEXTS, ids=lambda form: form.file)
@quick
@given(
    target=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_encoded_anew(form: Format, target: str, newline: str) -> None:
    encoding = "utf-8-sig" if CONTENTS[form.file].startswith(b"\xef\xbb\xbf") else form.encoding
    text = newline.join(CONTENTS[form.file].decode(encoding).splitlines()) + newline
    file = read_curves(form.file, text.encode(target))
    assert len(file.curves) == form.n_specimens
    assert_right_or_refused(form.file, text.encode(target), form)


@pytest.mark.parametrize("form", TEXTS, ids=lambda form: form.file)
@quick
@given(seed=st.integers(0, 10**6), n_bytes=st.integers(1, 20))
def test_bytes_damaged_end_in_no_traceback(form: Format, seed: int, n_bytes: int) -> None:
    """A digit that became another one cannot be seen; whatever comes out is read or refused."""
    content = bytearray(CONTENTS[form.file])
    rng = random.Random(seed)  # noqa: S311 -- damages a file
    for _ in range(n_bytes):
        content[rng.randrange(len(content))] = rng.choice(b'\x00x;,\t\n"\xff ')
    try:
        file = read_curves(form.file, bytes(content))
    except DataError:
        return
    for raw in file.curves:
        assert len(evaluate(tensile_curve(raw)).values) == len(PROPERTIES)
