#!/usr/bin/env python3
"""The training steps of bench/steps.cpp in PyTorch: the same models, data on the device as stored, loss included.

    python3 bench/pytorch_baseline.py                       cuda where there is one, else cpu
    python3 bench/pytorch_baseline.py --device cpu --workloads a/256 b/256 --ways eager
    OMP_NUM_THREADS=1 python3 bench/pytorch_baseline.py --device cpu

Prints one JSON object: device, versions, and for each workload and way of running it the median microseconds of a step
and the examples a second; each as it comes, to stderr. Ways: `eager`, `compiled` (torch.compile) and, on CUDA, both
with the whole step, optimizer included, captured once by torch.cuda.graph and replayed: `captured` the eager one, `graph`
the compiled one. Adam is fused in all of them where PyTorch has that.
float32 means float32: TF32 is off for products and for cuDNN but where the workload's name says tf32.

A step takes a batch of a permutation made beforehand, scales it, computes the loss summed over the elements of a row and
averaged over rows, and updates. What our step does besides is not asked of it: choosing the rows on the device, keeping
the loss's sums, refusing a loss that is not finite. Not here: the Jacobian of a whole encoder (e-deep), whose shortest
form in PyTorch is a loop.
"""

import argparse
import json
import platform
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

ROWS, PIXELS, STEPS = 60000, 784, 140
LEAST_STEPS, SECONDS = 15, 3.0
WAYS = {"cpu": ["eager", "compiled"], "cuda": ["eager", "captured", "compiled", "graph"]}


def bernoulli(logits, x):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)


def dense(*widths, linear_last=True):
    layers = []
    for inner, outer in zip(widths, widths[1:]):
        layers += [nn.Linear(inner, outer), nn.ReLU()]
    return nn.Sequential(*(layers[:-1] if linear_last else layers))


class Simple(nn.Module):  # a
    def __init__(self):
        super().__init__()
        self.layers = dense(PIXELS, 32, PIXELS)

    def forward(self, x):
        return bernoulli(self.layers(x), x)


class Deep(nn.Module):  # b
    def __init__(self):
        super().__init__()
        self.encoder = dense(PIXELS, 1000, 500, 250, 30)
        self.decoder = dense(30, 250, 500, 1000, PIXELS)

    def forward(self, x):
        return bernoulli(self.decoder(self.encoder(x)), x)


class Convolutional(nn.Module):  # c
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Upsample(scale_factor=2), nn.ConvTranspose2d(32, 32, 3, padding=1), nn.ReLU(),
            nn.Upsample(scale_factor=2), nn.ConvTranspose2d(32, 1, 3, padding=1),
        ).to(memory_format=torch.channels_last)

    def forward(self, x):
        x = x.view(-1, 1, 28, 28)
        noisy = (x + 0.5 * torch.randn_like(x)).clamp(0, 1).contiguous(memory_format=torch.channels_last)
        return bernoulli(self.layers(noisy), x)


class Variational(nn.Module):  # d
    def __init__(self):
        super().__init__()
        self.hidden = dense(PIXELS, 512, linear_last=False)
        self.code, self.decoder = nn.Linear(512, 40), dense(20, 512, PIXELS)

    def forward(self, x):
        mean, logvar = self.code(self.hidden(x)).chunk(2, dim=1)
        z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        kl = -0.5 * (1 + logvar - mean.square() - logvar.exp()).sum() / len(x)
        return bernoulli(self.decoder(z), x) + kl


class Wide(nn.Module):  # e, s: one sigmoid layer of 1000 units
    def __init__(self, penalty, tied=False):
        super().__init__()
        self.penalty = penalty
        self.encoder = nn.Linear(PIXELS, 1000)
        self.decoder = None if tied else nn.Linear(1000, PIXELS)
        self.bias = nn.Parameter(torch.zeros(PIXELS)) if tied else None

    def forward(self, x):
        h = torch.sigmoid(self.encoder(x))
        y = F.linear(h, self.encoder.weight.t(), self.bias) if self.decoder is None else self.decoder(h)
        return bernoulli(y, x) + self.penalty(self, h)


def jacobian(model, h):
    squares = model.encoder.weight.square().sum(1)
    return 0.1 * ((h * (1 - h)).square() @ squares).mean()


def kl_sparsity(_, h, rho=0.05):
    mean = h.mean(0)
    return 3 * (rho * torch.log(rho / mean) + (1 - rho) * torch.log((1 - rho) / (1 - mean))).sum()


def l1(_, h):
    return 1e-4 * h.abs().sum() / len(h)


class TopK(nn.Module):  # k: the 25 largest of 1000 stay; tied, squared error
    def __init__(self):
        super().__init__()
        self.encoder, self.bias = nn.Linear(PIXELS, 1000), nn.Parameter(torch.zeros(PIXELS))

    def forward(self, x):
        values, places = self.encoder(x).topk(25, dim=1)
        h = torch.zeros(len(x), 1000, device=x.device).scatter(1, places, values)
        return F.mse_loss(F.linear(h, self.encoder.weight.t(), self.bias), x)


class Lstm(nn.Module):  # f: the last h, repeated, decoded by another LSTM
    def __init__(self):
        super().__init__()
        self.encoder = nn.LSTM(1, 64, batch_first=True)
        self.decoder = nn.LSTM(64, 64, batch_first=True)
        self.output = nn.Linear(64, 1)

    def forward(self, x):
        code = self.encoder(x)[0][:, -1:]
        y = self.output(self.decoder(code.expand(-1, STEPS, -1))[0])
        return 0.5 * (y - x).square().sum() / len(x)


MODELS = {
    "a": Simple, "b": Deep, "c": Convolutional, "d": Variational,
    "e/tied": lambda: Wide(jacobian, tied=True), "e/untied": lambda: Wide(jacobian),
    "f": Lstm, "s/kl": lambda: Wide(kl_sparsity), "s/l1": lambda: Wide(l1), "k": TopK,
}
# Named as the benchmarks are, without step/ in front and the device behind.
WORKLOADS = ["a/256", "b/256", "b/4096", "b/256/tf32", "b/4096/tf32", "c/256", "d/128", "e/tied/256",
             "e/untied/256", "f/128", "s/kl/256", "s/l1/256", "k/256"]


class Training:
    """A model with its optimizer and data; a step trains on the batch that `self.index` names."""

    def __init__(self, name, batch, device):
        torch.manual_seed(0)
        self.batch, self.device, self.at = batch, device, 0
        self.model = MODELS[name]().to(device)
        if name == "f":
            self.data, self.scale = torch.randn(ROWS, STEPS, 1, device=device), 1
        else:
            self.data = torch.randint(0, 256, (ROWS, PIXELS), dtype=torch.uint8, device=device)
            self.scale = 1 / 255
        self.order = torch.randperm(ROWS, device=device)
        self.index = self.order[:batch].clone()
        cuda = device.type == "cuda"
        try:
            self.optimizer = torch.optim.Adam(self.model.parameters(), fused=True, capturable=cuda)
        except RuntimeError:  # no fused Adam on this device in this version
            self.optimizer = torch.optim.Adam(self.model.parameters())

    def loss(self):
        return self.model(self.data[self.index].float() * self.scale)

    def next_batch(self):
        self.at = (self.at + self.batch) % (ROWS - self.batch + 1)
        self.index.copy_(self.order[self.at:self.at + self.batch])

    def body(self, compile):
        loss = torch.compile(self.loss) if compile else self.loss
        update = torch.compile(self.optimizer.step) if compile else self.optimizer.step

        def body():
            self.optimizer.zero_grad(set_to_none=True)
            loss().backward()
            update()
        return body

    def step(self, way):
        body = self.body(compile=way in ("compiled", "graph"))
        if way in ("captured", "graph"):
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(5):
                    body()
            torch.cuda.current_stream().wait_stream(stream)
            captured = torch.cuda.CUDAGraph()
            with torch.cuda.graph(captured):
                body()
            body = captured.replay

        def step():
            self.next_batch()
            body()
        return step


def median_seconds(step, device):
    """The median step: on the CPU of single steps, on CUDA of runs of 64 between synchronisations."""
    cuda = device.type == "cuda"
    run = 64 if cuda else 1
    for _ in range(10):
        step()
    seconds, begin = [], time.perf_counter()
    while len(seconds) < LEAST_STEPS or time.perf_counter() - begin < (1 if cuda else SECONDS):
        if cuda:
            torch.cuda.synchronize()
        before = time.perf_counter()
        for _ in range(run):
            step()
        if cuda:
            torch.cuda.synchronize()
        seconds.append((time.perf_counter() - before) / run)
    return statistics.median(seconds)


def measure(workload, device, ways):
    tf32 = workload.endswith("/tf32")
    name, batch = workload.removesuffix("/tf32").rsplit("/", 1)
    if tf32 and device.type != "cuda":
        return []
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    rows = []
    for way in ways:
        if hasattr(torch, "_dynamo"):
            torch._dynamo.reset()
        row = {"workload": workload, "way": way}
        try:
            seconds = median_seconds(Training(name, int(batch), device).step(way), device)
            row.update(microseconds=round(1e6 * seconds, 2),
                       examples_per_second=round(int(batch) / seconds))
        except Exception as error:  # a way that this version or machine lacks; the others still count
            row["error"] = f"{type(error).__name__}: {error}".splitlines()[0]
        print(json.dumps(row), file=sys.stderr, flush=True)
        rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=WORKLOADS)
    parser.add_argument("--ways", nargs="+", choices=WAYS["cuda"])
    options = parser.parse_args()
    device = torch.device(options.device)
    cuda = device.type == "cuda"
    ways = options.ways or WAYS[device.type]
    print(json.dumps({
        "device": torch.cuda.get_device_name(device) if cuda else platform.processor() or "cpu",
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__,
                     "cuda": torch.version.cuda},
        "steps": [row for w in options.workloads for row in measure(w, device, ways)],
    }, indent=2))


if __name__ == "__main__":
    main()
