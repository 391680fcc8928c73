#!/usr/bin/env python3
"""Times training steps of every network on the GPU, in turns with PyTorch: ./dev bench --device cuda [OPTIONS]

Every measurement is a process of its own, and stands in the JSON file before the next one begins, so that nothing is
lost when the program is stopped; started again with the same file, it goes on. In a round, each network is measured by
`fer bench step` and then in every PyTorch mode: eager (NCHW), channels_last, graph (the whole step as one CUDA graph)
and compile (torch.compile, max-autotune; in rounds of its own, last, since it compiles for minutes). Batches come in
the order given, and every network before the next precision.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
FER = HERE.parent / "build" / "fer"
MODELS = (
    "cnn_2block,cnn_5block,mobilenet_v2,resnet50,stn_resnet50,densenet121,vgg19,efficientnet_b0,vanilla_cnn,"
    "se_separable,edl"
)
MODES = ["eager", "channels_last", "graph", "compile"]
LIMITS = {"compile": 900}  # seconds that one measurement may take
LIMIT = 180


def words(text):
    return text.split(",") if text else []


def parse():
    parser = argparse.ArgumentParser(
        prog="./dev bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: to try this program (fp32)")
    parser.add_argument("--models", type=words, default=words(MODELS), metavar="A,B")
    parser.add_argument("--batches", type=words, default=["128", "32", "256"], metavar="128,32,256")
    parser.add_argument("--precisions", type=words, default=["fp32", "tf32", "bf16"], metavar="fp32,tf32,bf16")
    parser.add_argument("--modes", type=words, default=MODES, metavar="MODE,…", help="of PyTorch; empty: none")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15, help="steps measured at least")
    parser.add_argument("--time-limit", type=float, default=float("inf"), metavar="SECONDS", help="of all of it")
    parser.add_argument("--peak-tflops", metavar="fp32=60,tf32=…", help="of the device (default: measured by PyTorch)")
    parser.add_argument("--peak-gbs", type=float, help="of its memory (default: measured by PyTorch)")
    parser.add_argument("--out", type=pathlib.Path, help="default: bench/results/DEVICE-DATE.json")
    parser.add_argument("--table", type=pathlib.Path, metavar="JSON", help="only print the tables of an earlier run")
    return parser.parse_args()


# ---- programs


def run(command, limit):
    """The JSON object that the command prints, or {"error": why there is none}."""
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=HERE.parent,
    )
    try:
        out, err = process.communicate(timeout=limit)
    except BaseException as stopped:  # its own children go with it
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(stopped, subprocess.TimeoutExpired):
            return {"error": f"took more than {limit:.0f} seconds"}
        raise
    for text in (out, out.strip().rpartition("\n")[2]):  # all of it, or its last line
        with contextlib.suppress(ValueError):
            return json.loads(text)
    lines = err.strip().splitlines()
    return {"error": lines[-1][:300] if lines else f"exit status {process.returncode}"}


def ours(options, network, batch, precision):
    return [
        *[FER, "bench", "step", "--json", "--device", options.device, "--precision", precision],
        *["--model", network["name"], "--batch", batch, "--repeats", options.repeats],
        *["--size", network["input"][0], "--channels", network["input"][2]],
    ]


def theirs(options, network, batch, precision, mode):
    return [
        *[sys.executable, HERE / "torch_step.py", "--device", options.device, "--precision", precision],
        *["--mode", mode, "--model", network["name"], "--batch", batch, "--least", options.repeats],
        *["--size", network["input"][0], "--channels", network["input"][2]],
        *["--parameters", network["parameters_trainable"]],
    ]


def find_torch(device):
    """PyTorch's version, cuDNN's, and the GPU's name; None where there is no PyTorch for the device."""
    code = "import json, torch; gpu = torch.cuda.is_available(); print(json.dumps({'version': torch.__version__, "
    code += "'cudnn': torch.backends.cudnn.version(), 'gpu': gpu and torch.cuda.get_device_name()}))"
    found = run([sys.executable, "-c", code], LIMIT)
    if "error" in found or (device == "cuda" and not found["gpu"]):
        print(f"no PyTorch to compare with: {found.get('error', 'it has no GPU')}", file=sys.stderr)
        return None
    return found


def device_name(device, torch):
    if device == "cpu":
        return "cpu"
    if torch:
        return torch["gpu"]
    try:
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]
    except (OSError, IndexError):
        return "gpu"


def find_peaks(options, torch):
    """Operations a second by precision, and "copy": bytes a second; what is not known is missing."""
    known = run([sys.executable, HERE / "torch_step.py", "--peaks", "--device", options.device], LIMIT) if torch else {}
    if "error" in known:
        print(f"peaks are not known: {known.pop('error')}", file=sys.stderr)
    for pair in words(options.peak_tflops):
        precision, tflops = pair.split("=")
        known[precision] = 1e12 * float(tflops)
    if options.peak_gbs:
        known["copy"] = 1e9 * options.peak_gbs
    return known


# ---- the measurements


def key_of(entry):
    return tuple(entry[name] for name in ("model", "batch", "precision", "program", "mode", "round", "beside"))


def work(options, modes):
    """What to measure, in order: (batch, round, precision, model, the modes beside it)."""
    groups = [mode for mode in modes if mode != "compile"], [mode for mode in modes if mode == "compile"]
    for batch in options.batches:
        for group in [group for group in groups if group] or [[]]:
            for turn in range(1, options.rounds + 1):
                for precision in options.precisions:
                    for model in options.models:
                        # bf16 in NCHW is nobody's best.
                        beside = [mode for mode in group if mode != "eager" or precision != "bf16"]
                        yield batch, turn, precision, model, beside


def save(results, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(path)


def roofline_ms(options, network, batch, precision, peaks):
    """The time of the step in which every operation takes its FLOPs or its bytes at the device's peak; None where that
    is not known."""
    if precision not in peaks or "copy" not in peaks:
        return None
    command = [FER, "plan", network["name"], "--json", "--device", options.device, "--precision", precision]
    command += ["--batch", batch, "--gflops", peaks[precision] / 1e9, "--gbs", peaks["copy"] / 1e9]
    return run(command, LIMIT).get("roofline_ms")


def measure_all(options, results, path, networks, modes, deadline):
    entries = results["measurements"]
    entries[:] = [entry for entry in entries if "error" not in entry]  # tried again
    done = {key_of(entry) for entry in entries}
    for batch, turn, precision, model, beside in work(options, modes):
        network = networks[model]
        group = "compile" if beside == ["compile"] else ""
        for program, mode in [("ferrotype", ""), *(("pytorch", mode) for mode in beside)]:
            entry = {"model": model, "batch": int(batch), "precision": precision, "program": program, "mode": mode}
            entry |= {"round": turn, "beside": group}
            if key_of(entry) in done:
                continue
            left = deadline - time.monotonic()
            if left < 5:
                print("the time limit is reached", file=sys.stderr)
                return
            command = ours(options, network, batch, precision)
            if mode:
                command = theirs(options, network, batch, precision, mode)
            entry |= run(command, min(left, LIMITS.get(mode, LIMIT)))
            figure = f"{entry['median_ms']:.3f} ms" if "median_ms" in entry else entry["error"]
            label = f"{model}, batch {batch}, {precision}, round {turn}: {program} {mode}".strip()
            print(f"{label}: {figure}", file=sys.stderr)
            place = f"{model} {batch} {precision}"
            if program == "ferrotype" and "error" not in entry and place not in results["roofline_ms"]:
                results["roofline_ms"][place] = roofline_ms(options, network, batch, precision, results["peaks"])
            entries.append(entry)
            save(results, path)


# ---- the tables


def spread(entries):
    """Median of the rounds' medians, and the quickest and the slowest step."""
    if not entries:
        return "", None
    typical = statistics.median(entry["median_ms"] for entry in entries)
    low, high = min(entry["min_ms"] for entry in entries), max(entry["max_ms"] for entry in entries)
    return f"{typical:.2f} ({low:.2f} … {high:.2f})", typical


def largest_mib(entries, key):
    found = [entry[key] for entry in entries if entry.get(key) is not None]
    return f"{max(found) / 2**20:.0f}" if found else "?"


def tables(results):
    """Markdown: times, and what a step takes besides."""
    good = [entry for entry in results["measurements"] if "error" not in entry]
    modes = [mode for mode in MODES if any(e["mode"] == mode for e in good)]
    head = ["network, batch, precision", "ours, ms a step", "images/s"]
    times = [head + [f"PyTorch {mode}, ms" for mode in modes] + ["times as fast as PyTorch's best"]]
    costs = [["network, batch, precision", "ours, MiB: planned, device"]]
    costs[0] += ["PyTorch's best, MiB: allocated, reserved, device"]
    costs[0] += ["kernels a step, ours / PyTorch", "of the roofline, ours / PyTorch"]
    places = dict.fromkeys((entry["batch"], entry["precision"], entry["model"]) for entry in good)
    for place in sorted(places, key=lambda place: place[0]):  # within a batch, as measured
        batch, precision, model = place
        here = [entry for entry in good if (entry["batch"], entry["precision"], entry["model"]) == place]
        own = [entry for entry in here if entry["program"] == "ferrotype"]
        by_mode = {mode: [entry for entry in here if entry["mode"] == mode] for mode in modes}
        own_cell, own_ms = spread(own)
        cells = {mode: spread(entries) for mode, entries in by_mode.items()}
        measured = [mode for mode in modes if cells[mode][1]]
        best = min(measured, key=lambda mode: cells[mode][1]) if measured else None
        name = f"{model}, {batch}, {precision}"
        rate = f"{1e3 * batch / own_ms:.0f}" if own_ms else ""
        factor = f"{cells[best][1] / own_ms:.2f}x {best}" if best and own_ms else ""
        times.append([name, own_cell, rate, *(cells[mode][0] for mode in modes), factor])

        peer = by_mode[best] if best else []
        bound = results["roofline_ms"].get(f"{model} {batch} {precision}")
        costs.append(
            [
                name,
                ", ".join(largest_mib(own, key) for key in ("planned_peak_bytes", "peak_device_bytes")),
                ", ".join(largest_mib(peer, key) for key in ("allocated_bytes", "reserved_bytes", "peak_device_bytes")),
                " / ".join(str((side or [{}])[-1].get("kernels_per_step") or "?") for side in (own, peer)),
                " / ".join(f"{bound / ms:.0%}" if bound and ms else "?" for ms in (own_ms, best and cells[best][1])),
            ]
        )
    lines = []
    for table in (times, costs):
        lines += ["| " + " | ".join(row) + " |" for row in table]
        lines.insert(len(lines) - len(table) + 1, "|" + "---|" * len(table[0]))
        lines.append("")
    return "\n".join(lines)


def main():
    options = parse()
    if options.table:
        print(tables(json.loads(options.table.read_text(encoding="utf-8"))))
        return
    deadline = time.monotonic() + options.time_limit
    tried = run([FER, "plan", "cnn_1block", "--device", options.device, "--gflops", 1, "--gbs", 1, "--json"], LIMIT)
    if "error" in tried:
        sys.exit(tried["error"])
    torch = find_torch(options.device)
    name = device_name(options.device, torch)
    networks = {one["name"]: one for one in run([FER, "models", "--json"], LIMIT)["models"]}
    unknown = [model for model in options.models if model not in networks]
    if unknown:
        sys.exit(f"there is no network {', '.join(unknown)}; see fer models")
    modes = options.modes if torch else []
    if options.device == "cpu":
        options.precisions = ["fp32"]
        modes = [mode for mode in modes if mode in ("eager", "channels_last")]
    today = datetime.date.today().isoformat()
    path = options.out or HERE / "results" / f"{re.sub('[^a-z0-9]+', '-', name.lower())}-{today}.json"
    if path.exists():
        results = json.loads(path.read_text(encoding="utf-8"))
        if results["device"] != name:
            sys.exit(f"{path} holds measurements of {results['device']}, not of {name}; choose another with --out")
    else:
        what = "fer bench step in turns with PyTorch: one training step with Adam; see bench/README.md"
        results = {"date": today, "what": what, "device": name, "pytorch": torch, "peaks": {}, "roofline_ms": {}}
        results |= {"measurements": []}
    results["peaks"] = results["peaks"] or find_peaks(options, torch)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        measure_all(options, results, path, networks, modes, deadline)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    print(tables(results))
    print(path, file=sys.stderr)


if __name__ == "__main__":
    main()
