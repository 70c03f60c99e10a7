"""Exports of tensile testers, written here: a known specimen in every program's words.

Nothing is taken from real files but the way they are laid out.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

WIDTH_MM, THICKNESS_MM, GAUGE_MM = 10.0, 0.5, 20.0
AREA_MM2 = WIDTH_MM * THICKNESS_MM


@dataclass(frozen=True)
class Made:
    """A specimen: elastic up to ``yield_mpa``, then straight hardening up to its break."""

    modulus_mpa: float = 1000.0
    yield_mpa: float = 20.0
    tangent_mpa: float = 50.0
    break_strain: float = 0.5
    toe: float = 0.0
    n_points: int = 1200
    is_broken: bool = True

    @property
    def strength_mpa(self) -> float:
        return self.yield_mpa + self.tangent_mpa * (
            self.break_strain - self.yield_mpa / self.modulus_mpa
        )

    def offset_yield(self, offset: float) -> float:
        """Where the elastic line, shifted, meets the hardening line."""
        knee = self.yield_mpa / self.modulus_mpa
        strain = (self.yield_mpa - self.tangent_mpa * knee + self.modulus_mpa * offset) / (
            self.modulus_mpa - self.tangent_mpa
        )
        return self.modulus_mpa * (strain - offset)

    def curve(self) -> tuple[Array, Array]:
        """Return strain (a ratio, toe included) and stress [MPa], a few samples after the break."""
        strain = np.linspace(0, self.break_strain, self.n_points)
        knee = self.yield_mpa / self.modulus_mpa
        stress = np.where(
            strain < knee,
            self.modulus_mpa * strain,
            self.yield_mpa + self.tangent_mpa * (strain - knee),
        )
        if self.toe:
            slack = np.linspace(
                0, self.toe, max(int(self.n_points * self.toe / self.break_strain), 5)
            )
            strain = np.concatenate([slack[:-1], strain + self.toe])
            stress = np.concatenate([np.zeros(len(slack) - 1), stress])
        if self.is_broken:
            step = strain[-1] - strain[-2]
            strain = np.append(strain, strain[-1] + step * np.arange(1, 4))
            stress = np.append(stress, [0.02 * stress[-1], 0.01 * stress[-1], 0.0])
        return strain, stress

    def columns(self) -> tuple[Array, Array, Array, Array, Array]:
        """Return time [s], extension [mm], force [N], strain (a ratio) and stress [MPa]."""
        strain, stress = self.curve()
        time = 0.1 * np.arange(len(strain))
        return time, strain * GAUGE_MM, stress * AREA_MM2, strain, stress


Write = Callable[[Sequence[Made]], bytes]


def _comma(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace(".", ",")


def bluehill_en(made: Sequence[Made]) -> bytes:
    """Raw data of one specimen: results above, quoted numbers, commas between thousands."""
    (one,) = made
    lines = [
        "Specimen number (included),1",
        'Modulus (Automatic Young\'s),"1,000.00000",MPa',
        f'Length,"{GAUGE_MM:.5f}",mm',
        f'Thickness,"{THICKNESS_MM:.5f}",mm',
        f'Width,"{WIDTH_MM:.5f}",mm',
        'Tensile strain (Strain 1) at Tensile strength,"0.50000",mm/mm',
        "",
        "Time,Extension,Load,Tensile strain (Strain 1),Tensile stress",
        "(s),(mm),(N),(%),(MPa)",
    ]
    for t, d, f, e, s in zip(*one.columns(), strict=True):
        lines.append(f'"{t:.5f}","{d:.5f}","{f:,.5f}","{100 * e:.4f}","{s:.4f}"')
    return "\r\n".join([*lines, ""]).encode("ascii")


def bluehill_pl(made: Sequence[Made]) -> bytes:
    """Polish, semicolons, decimal commas in quotes, Windows-1250."""
    (one,) = made
    lines = [
        f'Szerokość;"{_comma(WIDTH_MM, 5)}";mm',
        f'Grubość;"{_comma(THICKNESS_MM, 5)}";mm',
        f'Długość pomiarowa;"{_comma(GAUGE_MM, 5)}";mm',
        "",
        "Godzina;Przemieszczenie;Obciążenie",
        "(s);(mm);(N)",
    ]
    for t, d, f, _, _ in zip(*one.columns(), strict=True):
        lines.append(";".join(f'"{_comma(v, 5)}"' for v in (t, d, f)))
    return "\r\n".join([*lines, ""]).encode("cp1250")


def bluehill_universal(made: Sequence[Made]) -> bytes:
    """Two tables of results, then raw data of each specimen, its number in a cell."""
    lines = ["Results Table 1", ",Maximum Force,Width,Thickness,Length", ",(N),(mm),(mm),(mm)"]
    for n, one in enumerate(made, 1):
        force = one.strength_mpa * AREA_MM2
        lines.append(f"{n},{force:.3f},{WIDTH_MM:.2f},{THICKNESS_MM:.2f},{GAUGE_MM:.2f}")
    lines += ["", "Results Table 2"]
    for n, one in enumerate(made, 1):
        lines += [f"{n},Time,Displacement,Force,Tensile stress", ",(s),(mm),(kN),(MPa)"]
        for t, d, f, _, s in zip(*one.columns(), strict=True):
            lines.append(f",{t:.4f},{d:.5f},{f / 1000:.7f},{s:.5f}")
        lines.append("")
    return "\n".join(lines).encode("utf-8-sig")


def testxpert_de(made: Sequence[Made]) -> bytes:
    """German, tabs, decimal points, Latin-1, what is not known said in words."""
    (one,) = made
    lines = [
        '"aktuelle Probe"\t"17"',
        '"Messlänge"\t"nicht bekannt"',
        f'"Probenbreite b0"\t{WIDTH_MM:g}\t"mm"',
        f'"Probendicke a0"\t{THICKNESS_MM:g}\t"mm"',
        '"Prüfgeschwindigkeit"\t150\t"mm/min"',
        '"Kraftmaximum"\t44\t"N/mm²"',
        '"Datum"\t"20.02.2008"',
        '"Prüfzeit"\t"Standardweg"\t"Standardkraft"\t"Dehnung"\t"Traverse abs."',
        '"s"\t"mm"\t"N"\t"%"\t"mm"',
    ]
    for t, d, f, e, _ in zip(*one.columns(), strict=True):
        lines.append(f"{t:.6g}\t{d:.6g}\t{f:.6g}\t{100 * e:.6g}\t{785 + d:.7g}")
    return "\n".join([*lines, ""]).encode("latin-1")


def testxpert_fr(made: Sequence[Made]) -> bytes:
    """French, commas, an absolute crosshead below zero."""
    (one,) = made
    lines = [
        f'"épaisseur éprouvette",{THICKNESS_MM:g},"mm"',
        f'"Largeur éprouvette",{WIDTH_MM:g},"mm"',
        f'"Section",{AREA_MM2:g},"mm²"',
        f'"L0 - course standard",{GAUGE_MM:g},"mm"',
        '"Capteur de force",""',
        '"Temps","Traverse absolue","Force standard","Course standard"',
        '"s","mm","N","mm"',
    ]
    for t, d, f, _, _ in zip(*one.columns(), strict=True):
        lines.append(f"{t:.5f},{-794.864 + d:.4f},{f:.6g},{d:.6g}")
    return "\n".join([*lines, ""]).encode("latin-1")


def mts(made: Sequence[Made]) -> bytes:
    """Tabs, a byte order mark, headings with a blank behind, a crosshead that starts anywhere."""
    (one,) = made
    lines = [
        "File Path: D:\\operator\\DAQ- Crosshead, … - (Timed).txt   ",
        "Test: Tensile",
        "Test Run: Test Run 8",
        "Date: 12/15/2023 4:08:39 PM",
        "",
        "Crosshead \tLoad \tTime ",
        "mm\tN\tsec",
    ]
    for t, d, f, _, _ in zip(*one.columns(), strict=True):
        lines.append(f"{28.03 + d:.13f}\t{f:.12f}\t{t:.12f}")
    return "\r\n".join([*lines, ""]).encode("utf-8-sig")


def shimadzu(made: Sequence[Made]) -> bytes:
    """Sizes in a table of their own, specimens side by side, their names above the headings."""
    lines = ['"Trapezium raw data"', "", '"Name","Thickness","Width","Gauge_Length"']
    lines.append('"Parameters/ Units","mm","mm","mm"')
    for n in range(1, len(made) + 1):
        lines.append(f'"1 _ {n}","{THICKNESS_MM:.4f}","{WIDTH_MM:.4f}","{GAUGE_MM:.4f}"')
    lines += ["", ",".join(f'"1 _ {n}","",""' for n in range(1, len(made) + 1))]
    lines.append(",".join(['"Time","Force","Stroke"'] * len(made)))
    lines.append(",".join(['"sec","N","mm"'] * len(made)))
    return "\r\n".join([*lines, *_beside(made, "{t:.3f},{f:.6f},{d:.6f}", 3), ""]).encode("cp932")


def mecmesin(made: Sequence[Made]) -> bytes:
    """Specimens side by side: headings for the first only, units, then names, a blank line."""
    n = len(made)
    lines = [
        "Force,Distance,Time,Event" + "," * 4 * (n - 1),
        "N,mm,min," + "," * 4 * (n - 1),
        ",".join(f"Sample {i},,," for i in range(1, n + 1)),
        "",
    ]
    return "\n".join([*lines, *_beside(made, "{f:.5f},{d:.5f},{m:.6f},0", 4), ""]).encode()


def _beside(made: Sequence[Made], form: str, n_cells: int) -> list[str]:
    blocks = []
    for one in made:
        columns = zip(*one.columns(), strict=True)
        blocks.append([form.format(t=t, d=d, f=f, m=t / 60) for t, d, f, _, _ in columns])
    height = max(map(len, blocks))
    return [
        ",".join(block[i] if i < len(block) else "," * (n_cells - 1) for block in blocks)
        for i in range(height)
    ]


def deben(made: Sequence[Made]) -> bytes:
    """Decimal commas in the heading, points without a zero in the table, no units, words."""
    (one,) = made
    lines = [
        '"File : C:\\DATA\\MAT_15.MTR saved 2005-01-02 at 06:59:10"',
        f'"Span : {_comma(GAUGE_MM, 1)}"',
        f'"Width : {_comma(WIDTH_MM, 1)}"',
        f'"Thickness : {_comma(THICKNESS_MM, 1)}"',
        '"Start Sampletime : 100ms"',
        '"Start Speed : 0.1 mm/min"',
        '"Ver5.5.29"',
        '"Max travel : 1,400mm"',
        '"Point","Elongation","Force","Position","Code","Samplerate","Motorspeed"',
    ]
    for t, d, f, _, _ in zip(*one.columns(), strict=True):
        numbers = [f"{t:.1f}", f"{d:.5f}", f"{f:.5f}", f"{d + 0.03:.5f}"]
        bare = [number[1:] if number.startswith("0.") else number for number in numbers]
        lines.append(",".join([*bare, "0", "100", '"0.1 mm/min"']))
    return "\r\n".join([*lines, ""]).encode("ascii")


def cellscale(made: Sequence[Made]) -> bytes:
    """Two axes, µm and mN, words in the first columns; both axes are pulled alike."""
    first, second = made
    lines = [
        "SetName,Cycle,Time_S,Temperature,XSize_um,YSize_um,XDisplacement_um,YDisplacement_um,"
        "XForce_mN,YForce_mN"
    ]
    size = 1000 * GAUGE_MM
    for (t, d, f, _, _), (_, _, g, _, _) in zip(
        zip(*first.columns(), strict=True), zip(*second.columns(), strict=True), strict=True
    ):
        u = 1000 * d
        # The other axis is the width: the specimen is square.
        lines.append(
            f"Until breaking,1-Stretch,{t:.3f},21.5,{size + u:.2f},{size + u:.2f},{u:.2f},{u:.2f},"
            f"{1000 * f:.2f},{1000 * g:.2f}"
        )
    return "\n".join([*lines, ""]).encode("ascii")


def plain(made: Sequence[Made]) -> bytes:
    """Two columns, tabs, decimal commas, no units."""
    (one,) = made
    lines = ["Strain\tStress"]
    for _, _, _, e, s in zip(*one.columns(), strict=True):
        lines.append(f"{_comma(e, 6)}\t{_comma(s, 5)}")
    return "\n".join([*lines, ""]).encode("ascii")


def shared_strain(made: Sequence[Made]) -> bytes:
    """One column of strains, a column of stresses for each specimen."""
    lines = [";".join(["Strain [%]", *(f"Stress {n} [kPa]" for n in range(1, len(made) + 1))])]
    curves = [one.curve() for one in made]
    for i, e in enumerate(curves[0][0]):
        lines.append(";".join([f"{100 * e:.5f}", *(f"{1000 * s[i]:.3f}" for _, s in curves)]))
    return "\n".join([*lines, ""]).encode("utf-16")


def specimen_column(made: Sequence[Made]) -> bytes:
    """Specimens below one another, a column names them."""
    lines = ["Specimen\tTime (s)\tDisplacement (mm)\tForce (N)"]
    for n, one in enumerate(made, 1):
        for t, d, f, _, _ in zip(*one.columns(), strict=True):
            lines.append(f"mat-{n}\t{t:.3f}\t{d:.6f}\t{f:.6f}")
    return "\n".join([*lines, ""]).encode("utf-8")


def chinese(made: Sequence[Made]) -> bytes:
    """Chinese headings in GB 18030."""
    (one,) = made
    lines = [
        f"宽度,{WIDTH_MM:.2f},mm",
        f"厚度,{THICKNESS_MM:.2f},mm",
        f"标距,{GAUGE_MM:.2f},mm",
        "",
    ]
    lines.append("时间(s),位移(mm),试验力(N)")
    for t, d, f, _, _ in zip(*one.columns(), strict=True):
        lines.append(f"{t:.3f},{d:.6f},{f:.6f}")
    return "\n".join([*lines, ""]).encode("gb18030")


def workbook(made: Sequence[Made]) -> bytes:
    """A sheet for each specimen."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for n, one in enumerate(made, 1):
        sheet = book.create_sheet(f"mat {n}")
        for row in (
            ["Width (mm)", WIDTH_MM],
            ["Thickness (mm)", THICKNESS_MM],
            ["L0 (mm)", GAUGE_MM],
        ):
            sheet.append(row)
        sheet.append([])
        sheet.append(["Extension (mm)", "Load (N)"])
        for _, d, f, _, _ in zip(*one.columns(), strict=True):
            sheet.append([float(d), float(f)])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


@dataclass(frozen=True)
class Format:
    """A way of writing: the file's name, how many specimens it can hold, what it says of itself."""

    file: str
    write: Write
    n_specimens: int
    program: str
    encoding: str
    decimal: str = "."
    has_sizes: bool = True
    language: str | None = "English"


FORMATS = (
    Format("Specimen_RawData_1.csv", bluehill_en, 1, "Instron Bluehill", "utf-8"),
    Format("probka.csv", bluehill_pl, 1, "Instron Bluehill", "cp1250", ",", language="Polish"),
    Format("universal.csv", bluehill_universal, 3, "Instron Bluehill", "utf-8"),
    Format("film.TRA", testxpert_de, 1, "Zwick testXpert", "cp1252", language="German"),
    Format("essai.TRA", testxpert_fr, 1, "Zwick testXpert", "cp1252", language="French"),
    Format("run8.txt", mts, 1, "MTS TestSuite", "utf-8", has_sizes=False),
    Format("trapezium.csv", shimadzu, 3, "Shimadzu Trapezium", "utf-8"),
    Format("emperor.csv", mecmesin, 3, "Mecmesin Emperor", "utf-8", has_sizes=False),
    Format("mat.MTR", deben, 1, "Deben Microtest", "utf-8"),
    Format("hcellData.csv", cellscale, 2, "CellScale", "utf-8", has_sizes=False),
    Format("plain.tsv", plain, 1, "plain table", "utf-8", ","),
    Format("shared.csv", shared_strain, 3, "plain table", "utf-16"),
    Format("below.tsv", specimen_column, 3, "plain table", "utf-8", has_sizes=False),
    Format("chinese.csv", chinese, 1, "plain table", "gb18030", language="Chinese"),
    Format("book.xlsx", workbook, 3, "plain table", "workbook"),
)
SPECIMENS = (
    Made(),
    Made(modulus_mpa=800, yield_mpa=16, tangent_mpa=40),
    Made(modulus_mpa=1200, yield_mpa=30, tangent_mpa=60),
)
