"""What a script of a lab's own may look like; `make check` holds it to strict types."""

import pandas as pd

import engine

lab = engine.open("campaign")
report = lab.add(pd.DataFrame({"heat": [20.0]}))
print(report.n_added + 1)
batch = lab.propose(n=8, at={"temperature": 22, "humidity": 55})
frame: pd.DataFrame = batch.to_frame()
lab.log(41, {"strength": 12.3}, micrograph="41a.tif")
for table in (lab.runs(), lab.predict(frame), lab.front()):
    print(table.columns)
lab.report("report.html").exists()
lab.plot_slices("voltage").show()
past: engine.History = engine.history(lab.campaign, frame)
print(len(engine.suggest(past, n=8)))
try:
    lab.add(frame)
except engine.DataError as error:
    print(error)
