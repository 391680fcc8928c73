#!/usr/bin/env python3
"""Runs ONNX files elsewhere, for tests/test_onnx.cpp.

    onnx_results.py FOLDER

For every NAME.onnx in FOLDER, its input is NAME.npy; what comes out is written to NAME.result as float32. The program
that runs them is ONNX Runtime or OpenCV, whichever Python finds first, or the one FER_ONNX_ENGINE names (onnxruntime,
opencv); its name is printed. What OpenCV cannot read or run, NAME.lacking tells of. Exit status 77: neither is there.
"""

import os
import pathlib
import sys


def with_onnxruntime():
    import onnxruntime

    def run(model, images):
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        return session.run(None, {session.get_inputs()[0].name: images})[0]

    return "ONNX Runtime " + onnxruntime.__version__, run


class Lacking(Exception):
    pass


def with_opencv():
    import cv2

    def run(model, images):
        try:
            network = cv2.dnn.readNetFromONNX(model)
            network.setInput(images)
            return network.forward()
        except cv2.error as error:
            raise Lacking(str(error)) from error

    return "OpenCV " + cv2.__version__, run


def find_engine():
    engines = {"onnxruntime": with_onnxruntime, "opencv": with_opencv}
    wanted = os.environ.get("FER_ONNX_ENGINE")
    for name, engine in engines.items():
        if not wanted or wanted == name:
            try:
                return engine()
            except ImportError:
                pass
    sys.exit(77)


def main():
    name, run = find_engine()
    import numpy

    print(name)
    for model in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
        try:
            result = run(str(model), numpy.load(model.with_suffix(".npy")))
        except Lacking as reason:
            model.with_suffix(".lacking").write_text(str(reason))
            continue
        numpy.asarray(result, dtype=numpy.float32).tofile(model.with_suffix(".result"))


main()
