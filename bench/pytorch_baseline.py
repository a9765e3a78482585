#!/usr/bin/env python3
"""The training steps of bench/steps.cpp in PyTorch: the same models, data on the device as bytes, loss included.

    python3 bench/pytorch_baseline.py                       cuda where there is one, else cpu
    python3 bench/pytorch_baseline.py --device cpu --workloads a/256 b/256
    OMP_NUM_THREADS=1 python3 bench/pytorch_baseline.py --device cpu

Prints one JSON object: device, versions, and for each workload and way of running it the median microseconds of a step
and the examples a second. Ways: `eager`, `compiled` (torch.compile) and, on CUDA, `graph`: the whole compiled step,
optimizer included, captured once by torch.cuda.graph and replayed. Adam is fused in all of them where PyTorch has that.

A step takes a batch of a permutation made beforehand, scales its bytes to [0, 1], computes the summed binary
cross-entropy averaged over rows, and updates. What our step does besides is not asked of it: choosing the rows on the
device, keeping the loss's sums, refusing a loss that is not finite.
"""

import argparse
import json
import platform
import statistics
import time

import torch
from torch import nn

ROWS, PIXELS = 60000, 784
WIDTHS = {
    "a": ([PIXELS, 32], [32, PIXELS]),
    "b": ([PIXELS, 1000, 500, 250, 30], [30, 250, 500, 1000, PIXELS]),
}
RELU_CODE = {"a": True, "b": False}
WORKLOADS = ["a/256", "b/256", "b/4096", "b/256/tf32", "b/4096/tf32"]
LEAST_STEPS, SECONDS = 15, 3.0


def autoencoder(name):
    layers = []
    for part in WIDTHS[name]:
        for i, (inner, outer) in enumerate(zip(part, part[1:])):
            layers.append(nn.Linear(inner, outer))
            code = part is WIDTHS[name][0] and i == len(part) - 2
            output = part is WIDTHS[name][1] and i == len(part) - 2
            if not output and (RELU_CODE[name] or not code):
                layers.append(nn.ReLU())
    return nn.Sequential(*layers)


class Training:
    """A model with its optimizer and data; `step` trains on the batch that `self.index` names."""

    def __init__(self, name, batch, device):
        torch.manual_seed(0)
        self.batch, self.device, self.at = batch, device, 0
        self.model = autoencoder(name).to(device)
        self.data = torch.randint(0, 256, (ROWS, PIXELS), dtype=torch.uint8, device=device)
        self.order = torch.randperm(ROWS, device=device)
        self.index = self.order[:batch].clone()
        cuda = device.type == "cuda"
        try:
            self.optimizer = torch.optim.Adam(self.model.parameters(), fused=True, capturable=cuda)
        except RuntimeError:  # no fused Adam on this device in this version
            self.optimizer = torch.optim.Adam(self.model.parameters())

    def loss(self):
        x = self.data[self.index].float() * (1 / 255)
        nll = nn.functional.binary_cross_entropy_with_logits(self.model(x), x, reduction="sum")
        return nll / self.batch

    def next_batch(self):
        self.at = (self.at + self.batch) % (ROWS - self.batch + 1)
        self.index.copy_(self.order[self.at:self.at + self.batch])

    def eager(self):
        def step():
            self.next_batch()
            self.optimizer.zero_grad(set_to_none=True)
            self.loss().backward()
            self.optimizer.step()
        return step

    def compiled(self):
        loss, update = torch.compile(self.loss), torch.compile(self.optimizer.step)

        def step():
            self.next_batch()
            self.optimizer.zero_grad(set_to_none=True)
            loss().backward()
            update()
        return step

    def graph(self):
        loss, update = torch.compile(self.loss), torch.compile(self.optimizer.step)

        def body():
            self.optimizer.zero_grad(set_to_none=True)
            loss().backward()
            update()

        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(5):
                body()
        torch.cuda.current_stream().wait_stream(stream)
        captured = torch.cuda.CUDAGraph()
        with torch.cuda.graph(captured):
            body()

        def step():
            self.next_batch()
            captured.replay()
        return step


def median_seconds(step, device):
    """The median step: on the CPU of single steps, on CUDA of runs of 64 between synchronisations."""
    cuda = device.type == "cuda"
    run = 64 if cuda else 1
    for _ in range(10):
        step()
    seconds, begin = [], time.perf_counter()
    while len(seconds) < LEAST_STEPS or time.perf_counter() - begin < SECONDS:
        if cuda:
            torch.cuda.synchronize()
        before = time.perf_counter()
        for _ in range(run):
            step()
        if cuda:
            torch.cuda.synchronize()
        seconds.append((time.perf_counter() - before) / run)
    return statistics.median(seconds)


def measure(workload, device):
    name, batch, *precision = workload.split("/")
    tf32 = precision == ["tf32"]
    if tf32 and device.type != "cuda":
        return []
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    rows = []
    for way in ["eager", "compiled"] + (["graph"] if device.type == "cuda" else []):
        torch._dynamo.reset()
        row = {"workload": workload, "way": way}
        try:
            seconds = median_seconds(getattr(Training(name, int(batch), device), way)(), device)
            row.update(microseconds=round(1e6 * seconds, 2),
                       examples_per_second=round(int(batch) / seconds))
        except Exception as error:  # a way that this version or machine lacks; the others still count
            row["error"] = f"{type(error).__name__}: {error}".splitlines()[0]
        rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=WORKLOADS)
    options = parser.parse_args()
    device = torch.device(options.device)
    cuda = device.type == "cuda"
    print(json.dumps({
        "device": torch.cuda.get_device_name(device) if cuda else platform.processor() or "cpu",
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__,
                     "cuda": torch.version.cuda},
        "steps": [row for w in options.workloads for row in measure(w, device)],
    }, indent=2))


if __name__ == "__main__":
    main()
