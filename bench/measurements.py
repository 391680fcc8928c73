"""What gpu.py and cpu.py share: child processes, a file of results that is gone on with, tables."""

import argparse
import contextlib
import datetime
import json
import math
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
FER = HERE.parent / "build" / "fer"
TORCH_STEP = HERE / "torch_step.py"
STARTED = time.monotonic()
LIMIT = 180  # seconds that a program may take
# What tells one measurement from another.
KEY = ("model", "batch", "precision", "pass", "program", "mode", "round", "beside")


def words(text):
    return text.split(",") if text else []


def positive(text):
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def parser_of(description, models, rounds, repeats):
    """The options of both programs."""
    parser = argparse.ArgumentParser(
        prog="./dev bench", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=words, default=words(models), metavar="A,B")
    parser.add_argument("--rounds", type=positive, default=rounds)
    parser.add_argument("--repeats", type=positive, default=repeats, help="steps measured at least")
    parser.add_argument("--time-limit", type=float, default=math.inf, metavar="SECONDS", help="of all of it")
    parser.add_argument("--out", type=pathlib.Path, help="default: bench/results/DEVICE-DATE.json")
    parser.add_argument("--table", type=pathlib.Path, metavar="JSON", help="only print the tables of an earlier run")
    return parser


# ---- programs


def run(command, limit=LIMIT):
    """The JSON object that the command prints, or {"error": why there is none}."""
    try:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=HERE.parent,
        )
    except OSError as error:  # no such program
        return {"error": str(error)}
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


def find_networks(names):
    """What `fer models` says of each."""
    listed = run([FER, "models", "--json"])
    if "error" in listed:
        sys.exit(f"fer models: {listed['error']}")
    networks = {one["name"]: one for one in listed["models"]}
    unknown = [name for name in names if name not in networks]
    if unknown:
        sys.exit(f"there is no network {', '.join(unknown)}; see fer models")
    return {name: networks[name] for name in names}


def of_network(network, batch):
    """The options that fer bench and torch_step.py have in common."""
    size, _, channels = network["input"]
    return ["--model", network["name"], "--batch", batch, "--size", size, "--channels", channels]


def find_torch():
    """PyTorch's version, cuDNN's, and the GPU's name or false; or {"error": why there is none}."""
    code = "import json, torch; gpu = torch.cuda.is_available(); print(json.dumps({'version': torch.__version__, "
    code += "'cudnn': torch.backends.cudnn.version(), 'gpu': gpu and torch.cuda.get_device_name()}))"
    return run([sys.executable, "-c", code])


# ---- the measurements


def read_results(path):
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        sys.exit(f"{path}: {error}")
    if not isinstance(results, dict) or "measurements" not in results:
        sys.exit(f"{path} holds something else than measurements of gpu.py or cpu.py")
    return results


def open_results(path, prefix, device, fresh):
    """The file, by default results/PREFIX-DATE.json, and what it holds, to be gone on with; `fresh` where there is
    none yet. What failed is tried again."""
    today = datetime.date.today().isoformat()
    path = path or HERE / "results" / f"{prefix}-{today}.json"
    if not path.exists():
        return path, {"date": today, "device": device} | fresh | {"measurements": []}
    results = read_results(path)
    if results["device"] != device:
        sys.exit(f"{path} holds measurements of {results['device']}, not of {device}; choose another file with --out")
    results["measurements"] = good_measurements(results)
    return path, results


def save(results, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(path)


def key_of(entry):
    return tuple(entry.get(name) for name in KEY)


def measure(results, path, tasks, time_limit):
    """Runs the tasks (what is measured, command, seconds it may take) that `results` does not have yet, and gives each
    measurement to the caller once it stands in the file."""
    done = {key_of(entry) for entry in results["measurements"]}
    for entry, command, limit in tasks:
        if key_of(entry) in done:
            continue
        left = STARTED + time_limit - time.monotonic()
        if left < 5:
            print("the time limit is reached", file=sys.stderr)
            return
        entry = run(command, min(left, limit)) | entry
        label = ", ".join(str(entry[name]) for name in ("model", "batch", "precision", "pass") if name in entry)
        figure = f"{entry['median_ms']:.3f} ms" if "median_ms" in entry else entry["error"]
        peer = f"{entry['program']} {entry['mode']}".strip()
        print(f"{label}, round {entry['round']}: {peer}: {figure}", file=sys.stderr)
        results["measurements"].append(entry)
        save(results, path)
        yield entry


@contextlib.contextmanager
def stoppable():
    """Ctrl-C and SIGTERM end what is inside, and what follows goes on."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)


# ---- the tables


def good_measurements(results):
    return [entry for entry in results["measurements"] if "error" not in entry]


def typical_ms(entries):
    """The median of the rounds' medians; None where nothing was measured."""
    return statistics.median(entry["median_ms"] for entry in entries) if entries else None


def largest(entries, key):
    return max((entry[key] for entry in entries if entry.get(key) is not None), default=None)


def markdown(rows):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines) + "\n"
