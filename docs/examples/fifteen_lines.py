"""A notebook's first lines; `make check` holds them to strict types, a test runs them as they stand."""
# fmt: off

import pandas as pd

df = pd.read_csv("runs.csv")

# From here on each line is a cell.
import engine

lab = engine.open("campaign-folder")             # or engine.create(folder, template="nanofibre") / (folder, table=df, objectives=...)
lab.add(df)                                      # DataFrame of runs; same checks, same messages, as engine.DataError
batch = lab.propose(n=8, at={"temperature": 22, "humidity": 55})
batch.to_frame()                                 # settings, expected outcomes with intervals, reasons
lab.log(41, {"fracture_strength.longitudinal": 12.3}, micrograph="41a.tif")
lab.runs(); lab.predict(df); lab.front(); lab.report("report.html")
batch.plot(); lab.plot_front(); lab.plot_slices("voltage")     # plotly figures, shown in a notebook
