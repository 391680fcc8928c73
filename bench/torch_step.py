#!/usr/bin/env python3
"""Times a training step of one network in PyTorch, in a process of its own; one JSON object on standard output.

    torch_step.py --model resnet50 --channels 3 --size 48 --batch 128 --precision tf32 --mode graph
    torch_step.py --model resnet50 --channels 3 --size 48 --batch 64 --device cpu --forward --mode frozen
    torch_step.py --peaks        # what the device computes and copies a second: the roofline

A step is forward, loss, backward and Adam; with --forward, the network's output in evaluation mode. Its images already
lie on the device as floats, in the wanted order. Steps follow each other without waiting for the GPU; what is timed is
from the end of one to the end of the next. frozen is TorchScript with its batch-norms folded into the convolutions,
optimized the same in oneDNN's own layouts.
"""

import argparse
import json
import statistics
import tempfile
import time

import torch
import torch.nn.functional as F
from torch_networks import CLASSES, NETWORKS

MODES = ("eager", "channels_last", "graph", "compile")
FORWARD_MODES = ("eager", "channels_last", "frozen", "frozen_channels_last", "optimized")


def set_precision(precision):
    """fp32 as it is written; with bf16, what autocast leaves in f32 may use tf32."""
    tf32 = precision != "fp32"
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    if hasattr(torch.backends.cudnn, "fp32_precision"):  # which torch.compile's own convolutions go by
        torch.backends.cudnn.fp32_precision = "tf32" if tf32 else "ieee"


def make_step(network, images, labels, options):
    """A function that does one step and returns its loss, a tensor."""
    device = images.device.type
    on_gpu = {"fused": True, "capturable": options.mode == "graph"} if device == "cuda" else {}
    # A rate at which it does not learn the one batch by heart: arithmetic on zeros can be quicker.
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-6, **on_gpu)

    def loss_of(images, labels):
        return F.cross_entropy(network(images), labels)

    if options.mode == "compile":
        loss_of = torch.compile(loss_of, mode="max-autotune")

    def step():
        if options.mode == "compile" and device == "cuda":
            torch.compiler.cudagraph_mark_step_begin()
        optimizer.zero_grad(set_to_none=True)
        # A captured step casts its weights anew each time, so that no cast may come from outside of the graph.
        cached = options.mode != "graph"
        with torch.autocast(device, torch.bfloat16, enabled=options.precision == "bf16", cache_enabled=cached):
            loss = loss_of(images, labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return captured(step, optimizer) if options.mode == "graph" else step


def make_forward(network, images, mode):
    """A function that returns the output of a network in evaluation mode."""
    with torch.no_grad():
        if mode not in ("eager", "channels_last"):
            network = torch.jit.freeze(torch.jit.trace(network, images))
        if mode == "optimized":
            network = torch.jit.optimize_for_inference(network)
    return torch.inference_mode()(lambda: network(images))


def captured(step, optimizer):
    """The whole step as one CUDA graph; as PyTorch's notes on CUDA graphs have it."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(4):
            step()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    optimizer.zero_grad(set_to_none=True)  # gradients belong to the graph's own memory
    forget_peaks()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = step()

    def replay():
        graph.replay()
        return loss

    return replay


def forget_peaks():
    """Gives back what preparing took, before the step's own peak is read."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def step_times(step, count, device):
    """Milliseconds of each of `count` steps in a row."""
    if device == "cuda":
        ends = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
        ends[0].record()
        for end in ends[1:]:
            step()
            end.record()
        torch.cuda.synchronize()
        return [before.elapsed_time(after) for before, after in zip(ends, ends[1:])]
    times = []
    for _ in range(count):
        start = time.perf_counter()
        step()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def kernels_of(step):
    """Kernels that one step launches, or that its graph holds; None where the profiler cannot tell."""
    try:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
            step()
            torch.cuda.synchronize()
        with tempfile.NamedTemporaryFile(suffix=".json") as trace:
            profiler.export_chrome_trace(trace.name)
            with open(trace.name, encoding="utf-8") as file:
                events = json.load(file)["traceEvents"]
        return sum(event.get("cat") == "kernel" for event in events) or None
    except Exception:  # whatever the profiler's library finds missing: the figure is an extra
        return None


def peak_resident_bytes():
    with open("/proc/self/status", encoding="utf-8") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def measure(options):
    device = options.device
    set_precision(options.precision)
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(0)
    network = NETWORKS[options.model](options.channels, options.size)
    parameters = sum(p.numel() for p in network.parameters())
    if options.parameters not in (None, parameters):
        raise SystemExit(f"{options.model}: {parameters} parameters, but {options.parameters} were expected")
    nchw = options.mode in ("eager", "frozen", "optimized")
    order = torch.contiguous_format if nchw else torch.channels_last
    network = network.to(device, memory_format=order).train(not options.forward)
    images = torch.rand(options.batch, options.channels, options.size, options.size)
    images = images.to(device).contiguous(memory_format=order)
    labels = torch.randint(CLASSES, (options.batch,)).to(device)

    started = time.perf_counter()
    if options.forward:
        step = make_forward(network, images, options.mode)
        del network  # of which a frozen one is a copy
    else:
        step = make_step(network, images, labels, options)
    for _ in range(options.warm_up):
        step()
    wait(device)
    prepared = time.perf_counter() - started
    if device == "cuda" and options.mode != "graph":  # which allocates nothing from here on
        forget_peaks()
    estimate = statistics.median(step_times(step, 3, device))
    count = max(options.least, min(300, int(1e3 * options.seconds / estimate)))
    times = step_times(step, count, device)
    loss = step()
    if not loss.isfinite().all():
        raise SystemExit(f"{options.model}: the {'output' if options.forward else 'loss'} is not finite")
    median = statistics.median(times)
    result = {
        "median_ms": median,
        "min_ms": min(times),
        "max_ms": max(times),
        "repeats": count,
        "images_per_s": 1e3 * options.batch / median,
        "parameters": parameters,
        "preparation_s": prepared,
        "threads": torch.get_num_threads(),
        "peak_rss_bytes": peak_resident_bytes(),
    }
    if not options.forward:
        result["loss"] = loss.item()
    if device == "cuda":
        free, total = torch.cuda.mem_get_info()
        result |= {
            # What a compiled step's graphs hold counts as reserved alone.
            "allocated_bytes": None if options.mode == "compile" else torch.cuda.max_memory_allocated(),
            "reserved_bytes": torch.cuda.max_memory_reserved(),
            "peak_device_bytes": total - free,
            "kernels_per_step": kernels_of(step),
        }
    return result


def rate(run, amount, device, repeats=10):
    """`amount` over the median time of run(), a second."""
    run()
    run()
    wait(device)
    return 1e3 * amount / statistics.median(step_times(run, repeats, device))


def peaks(device):
    """Operations a second of a large matrix product in each precision, and bytes a second of a large copy, read plus
    written."""
    side, megabytes = (8192, 2048) if device == "cuda" else (512, 64)
    found = {}
    for precision in ("fp32", "tf32", "bf16"):
        set_precision("tf32" if precision == "tf32" else "fp32")
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        found[precision] = rate(lambda a=a, b=b: torch.mm(a, b), 2 * side**3, device)
    source = torch.rand(megabytes << 18, device=device)
    target = torch.empty_like(source)
    found["copy"] = rate(lambda: target.copy_(source), 2 * megabytes << 20, device)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="where it runs")
    parser.add_argument("--peaks", action="store_true")
    parser.add_argument("--model", choices=NETWORKS)
    parser.add_argument("--channels", type=int)
    parser.add_argument("--size", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--precision", choices=("fp32", "tf32", "bf16"), default="fp32")
    parser.add_argument("--mode", choices=dict.fromkeys(MODES + FORWARD_MODES), default="channels_last")
    parser.add_argument("--forward", action="store_true", help="evaluation mode, and no more than the forward pass")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of the CPU")
    parser.add_argument("--parameters", type=int, help="how many the network must have")
    parser.add_argument("--warm-up", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="measured, about")
    parser.add_argument("--least", type=int, default=15, help="steps measured at least")
    options = parser.parse_args()
    if options.mode not in (FORWARD_MODES if options.forward else MODES):
        parser.error(f"--mode {options.mode} is not for {'a forward pass' if options.forward else 'training'}")
    torch.set_num_threads(options.threads)
    print(json.dumps(peaks(options.device) if options.peaks else measure(options)))


if __name__ == "__main__":
    main()
