#!/usr/bin/env python3
"""A Markdown table of training steps: latent_bench beside bench/pytorch_baseline.py, of one machine.

    build/latent_bench --benchmark_filter=step/ --benchmark_out=bench.json --benchmark_out_format=json
    python3 bench/pytorch_baseline.py > torch.json
    python3 bench/results.py bench.json torch.json > bench/results/NAME.md

Microseconds of a step; `gain` is the fastest way of PyTorch over latent. Several files of PyTorch's add up. Kernels in
bench.json get a table of their own.
"""

import argparse
import json

WAYS = ["eager", "captured", "compiled", "graph"]


def parts(name):
    """("step", "b/256/tf32", "cuda:0") of step/b/256/tf32/cuda:0/iterations:1/manual_time."""
    kind, *rest = name.split("/iterations:")[0].split("/")
    return kind, "/".join(rest[:-1]), rest[-1]


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("|---" + "|---:" * (len(head) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


def figure(value):
    return "" if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def step_rows(steps, torch):
    found = {}
    for row in torch.get("steps", []):
        found.setdefault(row["workload"], {})[row["way"]] = row.get("microseconds")
    for workload, b in steps:
        ways = [found.get(workload, {}).get(way) for way in WAYS]
        best = min((w for w in ways if w), default=None)
        yield [workload, figure(b["real_time"]), *map(figure, ways),
               f"{best / b['real_time']:.2f}" if best else "", f"{b['launches']:.0f}",
               f"{b['peak']:.2f}", f"{b['library']:.2f}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", help="JSON of latent_bench")
    parser.add_argument("torch", nargs="*", help="JSON of pytorch_baseline.py")
    options = parser.parse_args()
    with open(options.bench) as file:
        bench = json.load(file)
    torch = {}
    for name in options.torch:
        with open(name) as file:
            more = json.load(file)
        more["steps"] += torch.get("steps", [])
        torch = more
    context = bench["context"]
    by_device = {}
    for b in bench["benchmarks"]:
        if "error_message" in b:
            continue
        kind, name, device = parts(b["name"])
        by_device.setdefault(device, {}).setdefault(kind, []).append((name, b))
    for device, kinds in by_device.items():
        print(f"# {context.get(device, device)}\n")
        print(f"{context['latent']}, {context['date'][:10]}; measured {context.get(device + ' peak', '')}.")
        same = torch and torch["device"] in context.get(device, "")
        if same:
            print("PyTorch " + torch["versions"]["torch"] + " on the same machine, one after the other.")
        print()
        if "step" in kinds:
            table(["step", "latent", *WAYS, "gain", "launches", "peak", "library"],
                  step_rows(kinds["step"], torch if same else {}))
        if "kernel" in kinds:
            table(["kernel", "us", "GB/s", "GFLOP/s", "peak"],
                  ([name, figure(b["real_time"]), figure(b["GB/s"]), figure(b["GFLOP/s"]), f"{b['peak']:.2f}"]
                   for name, b in kinds["kernel"]))


if __name__ == "__main__":
    main()
