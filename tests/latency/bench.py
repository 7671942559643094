"""A benchmark program as a user may write it for ``cmd:`` and ``adb://``: ONNX Runtime again, to be tested here."""

import json
import os
import sys
import time

import numpy as np
import onnxruntime as ort

options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.log_severity_level = 4
session = ort.InferenceSession(sys.argv[-1], options, providers=["CPUExecutionProvider"])
feed = {item.name: np.zeros(item.shape, np.float32) for item in session.get_inputs()}
session.run(None, feed)
end = time.perf_counter() + min(float(os.environ["EDGENEXT_SEARCH_SECONDS"]), 0.1)
times = []
while len(times) < int(os.environ["EDGENEXT_SEARCH_MIN_RUNS"]) or time.perf_counter() < end:
    start = time.perf_counter()
    session.run(None, feed)
    times.append((time.perf_counter() - start) * 1e6)
about = {"runtime": "onnxruntime", "version": ort.__version__, "machine": "this computer", "threads": 1}
sys.stdout.write("some log of the runtime\n")
sys.stdout.write(json.dumps({"times_us": times, **about}) + "\n")
