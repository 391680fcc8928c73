#!/usr/bin/env python3
"""Times training steps and forward passes on the CPU, in turns with PyTorch: ./dev bench --peers [OPTIONS]

Every measurement is a process of its own, and stands in the JSON file before the next one begins, so that nothing is
lost when the program is stopped; started again with the same file, it goes on. In a round, each network's training step
is measured by `fer bench step` and then in PyTorch's modes, eager (NCHW) and channels_last, each with and without
tcmalloc; then its forward pass by `fer bench forward` and in the same modes, and as frozen TorchScript besides.
"""

import math
import os
import pathlib
import re
import sys

from measurements import (
    FER,
    HERE,
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
    positive,
    read_results,
    stoppable,
    typical_ms,
    words,
)

BATCHES = {  # of each network
    "cnn_2block": 64,
    "cnn_5block": 64,
    "mobilenet_v2": 32,
    "densenet121": 32,
    "vgg19": 32,
    "edl": 32,
    "resnet50": 64,
    "stn_resnet50": 64,
    "efficientnet_b0": 64,
}
PASSES = {"train": "training step", "forward": "forward pass"}
MODES = {"train": ["eager", "channels_last"]}
MODES["forward"] = [*MODES["train"], "frozen", "frozen_channels_last", "optimized"]
TCMALLOC = pathlib.Path("/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4")
README = HERE / "README.md"
BEGIN = "<!-- what bench/cpu.py --table FILE --write puts here -->\n"
END = "<!-- until here -->\n"
LIMIT = 600  # seconds that one measurement may take
WARM_UP = 2


def parse():
    parser = parser_of(__doc__, ",".join(BATCHES), rounds=3, repeats=7)
    parser.add_argument("--threads", type=positive, default=len(os.sched_getaffinity(0)), help="of both (default: all)")
    parser.add_argument("--passes", type=words, default=list(PASSES), metavar="train,forward")
    parser.add_argument("--write", action="store_true", help="with --table: put the tables into bench/README.md")
    options = parser.parse_args()
    for name, given, known in [("models", options.models, BATCHES), ("passes", options.passes, PASSES)]:
        if unknown := [word for word in given if word not in known]:
            parser.error(f"--{name} {','.join(unknown)}: choose from {', '.join(known)}")
    if options.write and not options.table:
        parser.error("--write needs --table")
    return options


def device_name(threads):
    """A results file holds one processor's measurements with one number of threads."""
    model = re.search(r"^model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    return f"{model.group(1) if model else 'CPU'}, {threads} {'thread' if threads == 1 else 'threads'}"


def check_peer():
    """PyTorch's version. Ends the program where what is compared with is not installed."""
    found = find_torch()
    missing = f"{sys.executable} has no PyTorch ({found['error']})" if "error" in found else ""
    if not missing and not TCMALLOC.exists():
        missing = f"there is no {TCMALLOC}"
    if missing:
        sys.exit(f"--peers: {missing}: apt-get install python3-torch libtcmalloc-minimal4")
    return found["version"]


# ---- the measurements


def ours(options, network, which):
    command = [FER, "bench", "step" if which == "train" else which, "--json", "--device", "cpu"]
    command += ["--threads", options.threads, "--warm-up", WARM_UP, "--repeats", options.repeats]
    return command + of_network(network, BATCHES[network["name"]])


def theirs(options, network, which, mode):
    mode, _, allocator = mode.partition("+")
    command = ["env", f"LD_PRELOAD={TCMALLOC}"] if allocator else []
    command += [sys.executable, TORCH_STEP, "--device", "cpu", "--threads", options.threads, "--mode", mode]
    command += ["--warm-up", WARM_UP, "--least", options.repeats, "--parameters", network["parameters_trainable"]]
    return command + ["--forward"] * (which == "forward") + of_network(network, BATCHES[network["name"]])


def work(options, networks):
    """What to measure, in order, with its command and the seconds it may take."""
    for turn in range(1, options.rounds + 1):
        for model, network in networks.items():
            for which in options.passes:
                entry = {"model": model, "batch": BATCHES[model], "input": "x".join(map(str, network["input"]))}
                entry |= {"precision": "fp32", "pass": which, "round": turn}
                yield entry | {"program": "ferrotype", "mode": ""}, ours(options, network, which), LIMIT
                for mode in [mode + allocator for mode in MODES[which] for allocator in ("", "+tcmalloc")]:
                    yield entry | {"program": "pytorch", "mode": mode}, theirs(options, network, which, mode), LIMIT


# ---- the tables


def compare(entries):
    """Ours and PyTorch's best mode, that with the lowest median, of the measurements of one network; None where one of
    them is missing. Factors are PyTorch's over ours."""
    own = [entry for entry in entries if entry["program"] == "ferrotype"]
    peers = [entry for entry in entries if entry["program"] == "pytorch"]
    if not own or not peers:
        return None
    by_mode = {}
    for entry in peers:
        by_mode.setdefault(entry["mode"], []).append(entry)
    mode = min(by_mode, key=lambda mode: typical_ms(by_mode[mode]))
    found = {
        "mode": mode,
        "ms": [typical_ms(own), typical_ms(by_mode[mode])],
        "min_ms": [min(entry["min_ms"] for entry in side) for side in (own, peers)],
        "bytes": [largest(own, "peak_rss_bytes"), largest(by_mode[mode], "peak_rss_bytes")],
    }
    for key in ("ms", "min_ms", "bytes"):
        found[key + "_factor"] = found[key][1] / found[key][0]
    return found


def geometric_mean(factors):
    return math.exp(sum(map(math.log, factors)) / len(factors))


def table(results, which):
    """Markdown; empty where there is nothing to compare."""
    head = ["network, input, batch", f"ours, ms a {PASSES[which]}: median (min)", "PyTorch's best mode, ms"]
    head += ["times as fast: by median", "by min", "peak resident MiB, ours / PyTorch", "times the memory"]
    rows, compared = [head], []
    places = {}
    for entry in good_measurements(results):
        if entry.get("pass") == which:
            places.setdefault((entry["model"], entry["input"], entry["batch"]), []).append(entry)
    for place, entries in places.items():
        found = compare(entries)
        if not found:
            continue
        compared.append(found)
        row = ["{}, {}, {}".format(*place)]
        row += [f"{ms:.1f} ({fastest:.1f})" for ms, fastest in zip(found["ms"], found["min_ms"])]
        row[-1] += " " + found["mode"]
        row += [f"{found['ms_factor']:.2f}", f"{found['min_ms_factor']:.2f}"]
        row += [" / ".join(f"{size / 2**20:.0f}" for size in found["bytes"]), f"{found['bytes_factor']:.2f}"]
        rows.append(row)
    if not compared:
        return ""
    for name, summary in [(f"geometric mean of {len(compared)}", geometric_mean), ("smallest", min)]:
        ms, fastest, size = (
            f"**{summary([found[key] for found in compared]):.2f}**"
            for key in ("ms_factor", "min_ms_factor", "bytes_factor")
        )
        rows.append([f"**{name}**", "", "", ms, fastest, "", size])
    return markdown(rows)


def tables(results, path):
    """What the README holds between its marks."""
    rounds = max((entry["round"] for entry in good_measurements(results)), default=0)
    lines = f"Of [{path.name}](results/{path.name}), {results['date']}: {results['device']}, PyTorch "
    lines += f"{results['pytorch']}, {rounds} {'round' if rounds == 1 else 'rounds'}.\n"
    return "\n".join([lines, *filter(None, (table(results, which) for which in PASSES))])


def with_tables(text, made):
    """The README's text with these tables between its marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{README} lacks the lines between which the tables stand: {BEGIN.strip()} and {END.strip()}")
    return f"{before}{BEGIN}\n{made}\n{END}{after}"


def show_table(options):
    made = tables(read_results(options.table), options.table)
    if options.write:
        README.write_text(with_tables(README.read_text(encoding="utf-8"), made), encoding="utf-8")
    else:
        print(made)


def main():
    options = parse()
    if options.table:
        return show_table(options)
    version = check_peer()
    networks = find_networks(options.models)
    what = "fer bench step and fer bench forward in turns with PyTorch, f32, Adam; see bench/README.md"
    fresh = {"what": what, "pytorch": version}
    path, results = open_results(options.out, "cpu", device_name(options.threads), fresh)
    with stoppable():
        for _ in measure(results, path, work(options, networks), options.time_limit):
            pass
    print(tables(results, path))
    print(path, file=sys.stderr)


if __name__ == "__main__":
    main()
