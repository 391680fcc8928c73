#!/usr/bin/env python3
"""Times training steps of every network on the GPU, in turns with PyTorch: ./dev bench --device cuda [OPTIONS]

Every measurement is a process of its own, and stands in the JSON file before the next one begins, so that nothing is
lost when the program is stopped; started again with the same file, it goes on. In a round, each network is measured by
`fer bench step` and then in every PyTorch mode: eager (NCHW), channels_last, graph (the whole step as one CUDA graph)
and compile (torch.compile, max-autotune; in rounds of its own, last, since it compiles for minutes). Batches come in
the order given, and every network before the next precision.
"""

import re
import subprocess
import sys

from measurements import (
    FER,
    LIMIT,
    TORCH_STEP,
    find_networks,
    find_torch,
    good_measurements,
    largest,
    markdown,
    measure,
    of_network,
    open_results,
    parser_of,
    read_results,
    run,
    save,
    stoppable,
    typical_ms,
    words,
)

MODELS = (
    "cnn_2block,cnn_5block,mobilenet_v2,resnet50,stn_resnet50,densenet121,vgg19,efficientnet_b0,vanilla_cnn,"
    "se_separable,edl"
)
MODES = ["eager", "channels_last", "graph", "compile"]
LIMITS = {"compile": 900}  # seconds that one measurement may take


def parse():
    parser = parser_of(__doc__, MODELS, rounds=2, repeats=15)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: to try this program (fp32)")
    parser.add_argument("--batches", type=words, default=["128", "32", "256"], metavar="128,32,256")
    parser.add_argument("--precisions", type=words, default=["fp32", "tf32", "bf16"], metavar="fp32,tf32,bf16")
    parser.add_argument("--modes", type=words, default=MODES, metavar="MODE,…", help="of PyTorch; empty: none")
    parser.add_argument("--peak-tflops", metavar="fp32=60,tf32=…", help="of the device (default: measured by PyTorch)")
    parser.add_argument("--peak-gbs", type=float, help="of its memory (default: measured by PyTorch)")
    return parser.parse_args()


# ---- programs


def ours(options, network, batch, precision):
    command = [FER, "bench", "step", "--json", "--device", options.device, "--precision", precision]
    return command + ["--repeats", options.repeats, *of_network(network, batch)]


def theirs(options, network, batch, precision, mode):
    command = [sys.executable, TORCH_STEP, "--device", options.device, "--precision", precision, "--mode", mode]
    command += ["--least", options.repeats, "--parameters", network["parameters_trainable"]]
    return command + of_network(network, batch)


def find_peer(device):
    """What find_torch says; None where there is no PyTorch for the device."""
    found = find_torch()
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
    known = run([sys.executable, TORCH_STEP, "--peaks", "--device", options.device]) if torch else {}
    if "error" in known:
        print(f"peaks are not known: {known.pop('error')}", file=sys.stderr)
    for pair in words(options.peak_tflops):
        precision, tflops = pair.split("=")
        known[precision] = 1e12 * float(tflops)
    if options.peak_gbs:
        known["copy"] = 1e9 * options.peak_gbs
    return known


# ---- the measurements


def work(options, networks, modes):
    """What to measure, in order, with its command and the seconds it may take."""
    groups = [mode for mode in modes if mode != "compile"], [mode for mode in modes if mode == "compile"]
    for batch in options.batches:
        for group in [group for group in groups if group] or [[]]:
            for turn in range(1, options.rounds + 1):
                for precision in options.precisions:
                    for model, network in networks.items():
                        entry = {"model": model, "batch": int(batch), "precision": precision, "round": turn}
                        entry["beside"] = "compile" if group == ["compile"] else ""
                        command = ours(options, network, batch, precision)
                        yield entry | {"program": "ferrotype", "mode": ""}, command, LIMIT
                        for mode in group:
                            if mode == "eager" and precision == "bf16":  # in NCHW it is nobody's best
                                continue
                            command = theirs(options, network, batch, precision, mode)
                            yield entry | {"program": "pytorch", "mode": mode}, command, LIMITS.get(mode, LIMIT)


def roofline_ms(options, network, batch, precision, peaks):
    """The time of the step in which every operation takes its FLOPs or its bytes at the device's peak; None where that
    is not known."""
    if precision not in peaks or "copy" not in peaks:
        return None
    command = [FER, "plan", network["name"], "--json", "--device", options.device, "--precision", precision]
    command += ["--batch", batch, "--gflops", peaks[precision] / 1e9, "--gbs", peaks["copy"] / 1e9]
    return run(command).get("roofline_ms")


def measure_all(options, results, path, networks, modes):
    tasks = work(options, networks, modes)
    for entry in measure(results, path, tasks, options.time_limit):
        model, batch, precision = entry["model"], entry["batch"], entry["precision"]
        place = f"{model} {batch} {precision}"
        if entry["program"] == "ferrotype" and "error" not in entry and place not in results["roofline_ms"]:
            results["roofline_ms"][place] = roofline_ms(options, networks[model], batch, precision, results["peaks"])
            save(results, path)


# ---- the tables


def spread(entries):
    """Median of the rounds' medians, and the quickest and the slowest step."""
    if not entries:
        return "", None
    typical = typical_ms(entries)
    low, high = min(entry["min_ms"] for entry in entries), max(entry["max_ms"] for entry in entries)
    return f"{typical:.2f} ({low:.2f} … {high:.2f})", typical


def largest_mib(entries, key):
    found = largest(entries, key)
    return "?" if found is None else f"{found / 2**20:.0f}"


def tables(results):
    """Markdown: times, and what a step takes besides."""
    good = good_measurements(results)
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
    return markdown(times) + "\n" + markdown(costs)


def main():
    options = parse()
    if options.table:
        print(tables(read_results(options.table)))
        return
    tried = run([FER, "plan", "cnn_1block", "--device", options.device, "--gflops", 1, "--gbs", 1, "--json"])
    if "error" in tried:
        sys.exit(tried["error"])
    networks = find_networks(options.models)
    torch = find_peer(options.device)
    name = device_name(options.device, torch)
    modes = options.modes if torch else []
    if options.device == "cpu":
        options.precisions = ["fp32"]
        modes = [mode for mode in modes if mode in ("eager", "channels_last")]
    what = "fer bench step in turns with PyTorch: one training step with Adam; see bench/README.md"
    results = {"what": what, "pytorch": torch, "peaks": {}, "roofline_ms": {}}
    path, results = open_results(options.out, re.sub("[^a-z0-9]+", "-", name.lower()), name, results)
    results["peaks"] = results["peaks"] or find_peaks(options, torch)
    with stoppable():
        measure_all(options, results, path, networks, modes)
    print(tables(results))
    print(path, file=sys.stderr)


if __name__ == "__main__":
    main()
