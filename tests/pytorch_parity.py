#!/usr/bin/env python3
"""Trains the same models in PyTorch and here, from the same weights on the same batches, and compares every loss.

    python3 tests/pytorch_parity.py [--latent build/latent] [--device cpu] [--record]

Needs torch and safetensors. It runs the README's torch module against `latent reconstruct`, too, and checks that what
tests/parity/ holds is what PyTorch gives: losses, and the paths of the optimizers and schedules by themselves.
--record writes these files, for parity_test.cpp, which runs everywhere. Rows and initial weights are formulas that are
exact in Python and C++.
"""
import argparse
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torch.optim.lr_scheduler as scheduler
from safetensors.torch import load_file, save_file

TESTS = pathlib.Path(__file__).resolve().parent
BATCH, STEPS, ROWS, SIDE = 64, 100, 512, 28
TOLERANCE = {20: 1e-5, 100: 1e-3}  # relative, up to this step
SIMPLE, DEEP = [784, 32, 784], [784, 128, 64, 32, 64, 128, 784]

TRAININGS = [
    {"name": f"{model}_{name}", "widths": widths, "optimizer": optimizer}
    for model, widths in [("simple", SIMPLE), ("deep", DEEP)]
    for name, optimizer in [
        ("sgd", {"sgd": {"lr": 1.0}}),
        ("momentum", {"sgd": {"lr": 0.1, "momentum": 0.9}}),
        ("adam", {"adam": {"lr": 0.001}}),
    ]
]

OPTIMIZER_STEPS, SNAPSHOTS, PARAMETERS = 50, [1, 10, 50], 16
OPTIMIZERS = [
    {
        "name": "_".join([name, *(schedule if isinstance(schedule, dict) else [])]),
        "optimizer": optimizer,
        "schedule": schedule,
    }
    for name, optimizer, schedule in [
        ("sgd", {"sgd": {"lr": 0.1}}, "constant"),
        ("momentum", {"sgd": {"lr": 0.1, "momentum": 0.9}}, "constant"),
        ("nesterov", {"sgd": {"lr": 0.1, "momentum": 0.9, "nesterov": True}}, "constant"),
        ("adam", {"adam": {"lr": 0.01}}, "constant"),
        ("adam_options", {"adam": {"lr": 0.05, "betas": [0.5, 0.99], "eps": 0.001}}, "constant"),
        ("adamw", {"adamw": {"lr": 0.01, "decay": 0.1}}, "constant"),
        ("rmsprop", {"rmsprop": {"lr": 0.01}}, "constant"),
        ("rmsprop_options", {"rmsprop": {"lr": 0.01, "alpha": 0.9, "eps": 0.001}}, "constant"),
        ("adagrad", {"adagrad": {"lr": 0.1}}, "constant"),
        ("adadelta", {"adadelta": {"lr": 1.0}}, "constant"),
        ("adadelta_options", {"adadelta": {"lr": 1.0, "rho": 0.95, "eps": 0.001}}, "constant"),
        ("adamw", {"adamw": {"lr": 0.05, "decay": 0.1}}, {"step": {"every": 20, "by": 0.5}}),
        ("momentum", {"sgd": {"lr": 0.1, "momentum": 0.9}}, {"step": {"every": 20, "by": 0.1}}),
        ("adam", {"adam": {"lr": 0.05}}, {"exponential": {"every": 1, "by": 0.95}}),
        ("sgd", {"sgd": {"lr": 0.5}}, {"cosine": {"over": 50, "to": 0}}),
        ("adam_options", {"adam": {"lr": 0.05, "eps": 0.001}}, {"cosine": {"over": 50, "to": 0.1}}),
        ("sgd", {"sgd": {"lr": 0.5}}, {"linear": {"over": 30, "from": 1, "to": 0.1}}),
    ]
]


CODE = {"dense": {"units": 32, "activation": "sigmoid"}}
# What differs from 784-32-784 with a sigmoid code, and who computes its loss in PyTorch (see VARIANT_LOSSES).
VARIANTS = [
    {
        "name": name,
        "shape": shape,
        "model": {"bottleneck": CODE, "likelihood": "bce", **model},
        "tensors": tensors,
        "optimizer": {"adam": {"lr": 0.001}},
    }
    for name, shape, model, tensors in [
        ("l1", [784], {"penalties": [{"l1": 0.001}]}, {"bottleneck": [32, 784], "decoder.0": [784, 32]}),
        ("kl_sparsity", [784], {"penalties": [{"kl_sparsity": 0.1}]}, {"bottleneck": [32, 784], "decoder.0": [784, 32]}),
        (
            "contractive_closed",
            [784],
            {"penalties": [{"jacobian": 0.1, "estimator": "closed"}]},
            {"bottleneck": [32, 784], "decoder.0": [784, 32]},
        ),
        (
            "contractive_exact",
            [784],
            {
                "encoder": [{"dense": 64, "activation": "sigmoid"}],
                "penalties": [{"jacobian": 0.1, "estimator": "exact"}],
            },
            {"encoder.0": [64, 784], "bottleneck": [32, 64], "decoder.0": [64, 32], "decoder.1": [784, 64]},
        ),
        (
            "variational",
            [784],
            {"encoder": [{"dense": 64, "activation": "relu"}], "bottleneck": {"gaussian": 8}, "likelihood": "bernoulli"},
            {
                "encoder.0": [64, 784],
                "bottleneck.mean": [8, 64],
                "bottleneck.logvar": [8, 64],
                "decoder.0": [64, 8],
                "decoder.1": [784, 64],
            },
        ),
        (
            "convolutional",
            [28, 28, 1],
            {
                "encoder": [{"conv": 4, "activation": "relu"}, {"max_pool": 2}, {"conv": 2, "activation": "relu"}],
                "bottleneck": {"dense": {"units": 16, "activation": "relu"}},
                "decoder": [{"dense": 784, "activation": "relu"}, {"reshape": [14, 14, 4]}, {"upsample": 2}],
            },
            {
                "encoder.0": [4, 1, 3, 3],
                "encoder.2": [2, 4, 3, 3],
                "bottleneck": [16, 392],
                "decoder.0": [784, 16],
                "decoder.3": [1, 4, 3, 3],
            },
        ),
        *(
            (
                kind,
                [28, 28],
                {
                    "encoder": [{kind: 16}],
                    "bottleneck": {"dense": 8},
                    "decoder": [{"repeat": 28}, {kind: 16, "output": "all"}],
                },
                {
                    "encoder.0": [gates * 16, 28],
                    "bottleneck": [8, 16],
                    "decoder.1": [gates * 16, 8],
                    "decoder.2": [28, 16],
                },
            )
            for kind, gates in [("lstm", 4), ("gru", 3)]
        ),
    ]
]


# ---- Numbers that are exact in Python and C++ --------------------------------------------------------------------------


def bits(stream, n):
    """n integers of 24 bits: the finaliser of SplitMix64 over a counter."""
    z = (np.arange(1, n + 1, dtype=np.uint64) + np.uint64(stream << 32)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return ((z ^ z >> np.uint64(31)) >> np.uint64(40)).astype(np.int64)


def uniform(stream, n, bound):
    """n reals in [-bound, bound)."""
    return (bits(stream, n) / 2.0**23 - 1) * bound


def make_rows():
    """[512, 784] u8: a grey rectangle on noise in each image of 28 x 28."""
    top, left, height, width, grey = bits(0, ROWS * 5).reshape(ROWS, 5, 1, 1).transpose(1, 0, 2, 3)
    y, x = np.arange(SIDE).reshape(SIDE, 1), np.arange(SIDE)
    top, left, height, width = top % 16, left % 16, 4 + height % 9, 4 + width % 9
    inside = (y >= top) & (y < top + height) & (x >= left) & (x < left + width)
    noise = bits(1, ROWS * SIDE * SIDE).reshape(ROWS, SIDE, SIDE) % 32
    return torch.tensor((inside * (128 + grey % 96) + noise).reshape(ROWS, -1).astype(np.uint8))


def make_model(widths):
    """Dense layers with ReLU between them; the output is logits."""
    model = torch.nn.Sequential()
    for pair in zip(widths, widths[1:]):
        model.append(torch.nn.Linear(*pair)).append(torch.nn.ReLU())
    del model[-1]
    with torch.no_grad():
        for stream, (name, p) in enumerate(model.named_parameters(), start=2):
            fan_in = model[int(name.split(".")[0])].in_features
            p.copy_(torch.tensor(uniform(stream, p.numel(), 1 / math.sqrt(fan_in)).reshape(p.shape)))
    return model


# ---- PyTorch -----------------------------------------------------------------------------------------------------------


def torch_optimizer(choice, parameters):
    [(name, options)] = choice.items()
    classes = {c.lower(): getattr(torch.optim, c) for c in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta")}
    return classes[name](parameters, **{"weight_decay" if k == "decay" else k: v for k, v in options.items()})


def torch_schedule(choice, optimizer):
    if choice == "constant":
        return scheduler.ConstantLR(optimizer, factor=1)
    [(name, o)] = choice.items()
    if name == "step":
        return scheduler.StepLR(optimizer, o["every"], o["by"])
    if name == "exponential":
        return scheduler.ExponentialLR(optimizer, o["by"])
    if name == "linear":
        return scheduler.LinearLR(optimizer, o["from"], o["to"], o["over"])
    lr = optimizer.param_groups[0]["lr"]
    return scheduler.CosineAnnealingLR(optimizer, o["over"], lr * o["to"])


def train_in_torch(case, rows):
    """The loss of every step, before its update."""
    model, losses = make_model(case["widths"]), []
    optimizer = torch_optimizer(case["optimizer"], model.parameters())
    x = rows.float() / 255
    for step in range(STEPS):
        first = step * BATCH % ROWS
        batch = x[first : first + BATCH]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def optimize_in_torch(case):
    """p after some steps on 1/2 sum a (p - b)^2, in double."""
    a = torch.arange(1, PARAMETERS + 1, dtype=torch.float64) / 4
    b = torch.tensor(uniform(1, PARAMETERS, 1))
    p = torch.tensor(uniform(0, PARAMETERS, 1), requires_grad=True)
    optimizer = torch_optimizer(case["optimizer"], [p])
    schedule = torch_schedule(case["schedule"], optimizer)
    snapshots = []
    for step in range(1, OPTIMIZER_STEPS + 1):
        p.grad = a * (p.detach() - b)
        optimizer.step()
        schedule.step()
        if step in SNAPSHOTS:
            snapshots.append(p.tolist())
    return snapshots


def variant_tensors(case):
    """Names and shapes of all tensors of a weights file, in order: biases too, and what recurrent layers have."""
    result = []
    for layer, shape in case["tensors"].items():
        if case["name"] in ("lstm", "gru") and layer in ("encoder.0", "decoder.1"):
            rows = shape[0]
            for kind, each in [("ih", shape), ("hh", [rows, 16])]:
                result += [(f"{layer}.weight_{kind}_l0", each), (f"{layer}.bias_{kind}_l0", [rows])]
        else:
            result += [(f"{layer}.weight", shape), (f"{layer}.bias", shape[:1])]
    return result


def make_variant_weights(case):
    """Each uniform within 0.1, drawn from a stream of its place."""
    return {
        name: torch.tensor(uniform(100 + place, math.prod(shape), 0.1).reshape(shape).astype(np.float32))
        for place, (name, shape) in enumerate(variant_tensors(case))
    }


def philox_normals(seed, step, name, n):
    """n standard normals of the stream `name`: Philox4x32-10 and Box-Muller, as core/random/philox.h."""
    stream = 0xCBF29CE484222325
    for byte in name.encode():
        stream = (stream ^ byte) * 0x100000001B3 % 2**64
    low = np.uint64(0xFFFFFFFF)
    blocks = np.arange((n + 3) // 4, dtype=np.uint64)
    c = [blocks, *(np.full_like(blocks, v) for v in (step, stream & 0xFFFFFFFF, stream >> 32))]
    key = [seed, 0]
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        shift = np.uint64(32)
        c = [(b >> shift) ^ c[1] ^ np.uint64(key[0]), b & low, (a >> shift) ^ c[3] ^ np.uint64(key[1]), a & low]
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    u = [(w >> np.uint64(8)).astype(np.float64) * 2.0**-24 for w in c]
    z = []
    for a, b in ((u[0], u[1]), (u[2], u[3])):
        radius = np.sqrt(-2 * np.log(1 - a))
        z += [radius * np.cos(2 * np.pi * b), radius * np.sin(2 * np.pi * b)]
    return np.stack(z, axis=1).reshape(-1)[:n]


F = torch.nn.functional


def dense(p, name, x):
    return F.linear(x, p[f"{name}.weight"], p[f"{name}.bias"])


def bce(logits, x):
    return F.binary_cross_entropy_with_logits(logits, x)


def loss_l1(p, x, step):
    h = dense(p, "bottleneck", x).sigmoid()
    return bce(dense(p, "decoder.0", h), x) + 0.001 * h.abs().sum(1).mean()


def loss_kl_sparsity(p, x, step):
    h, rho = dense(p, "bottleneck", x).sigmoid(), 0.05
    mean = h.mean(0)
    kl = rho * torch.log(rho / mean) + (1 - rho) * torch.log((1 - rho) / (1 - mean))
    return bce(dense(p, "decoder.0", h), x) + 0.1 * kl.sum()


def loss_contractive_closed(p, x, step):
    h = dense(p, "bottleneck", x).sigmoid()
    slopes = h * (1 - h)
    jacobian = slopes[:, :, None] * p["bottleneck.weight"]
    return bce(dense(p, "decoder.0", h), x) + 0.1 * jacobian.square().sum((1, 2)).mean()


def loss_contractive_exact(p, x, step):
    h = dense(p, "encoder.0", x).sigmoid()
    code = dense(p, "bottleneck", h).sigmoid()
    inner = (h * (1 - h))[:, :, None] * p["encoder.0.weight"]
    jacobian = (code * (1 - code))[:, :, None] * (p["bottleneck.weight"] @ inner)
    output = dense(p, "decoder.1", dense(p, "decoder.0", code).sigmoid())
    return bce(output, x) + 0.1 * jacobian.square().sum((1, 2)).mean()


def loss_variational(p, x, step):
    h = dense(p, "encoder.0", x).relu()
    mu, logvar = dense(p, "bottleneck.mean", h), dense(p, "bottleneck.logvar", h)
    eps = torch.tensor(philox_normals(0, step, "bottleneck.sample", mu.numel()).reshape(mu.shape).astype(np.float32))
    z = mu + (0.5 * logvar).exp() * eps
    logits = dense(p, "decoder.1", dense(p, "decoder.0", z).relu())
    nll = F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1).mean()
    return nll + 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1).mean()


def loss_convolutional(p, x, step):
    conv = lambda name, v: F.conv2d(v, p[f"{name}.weight"], p[f"{name}.bias"], padding=1)
    images = x.reshape(-1, 1, SIDE, SIDE)
    h = conv("encoder.2", F.max_pool2d(conv("encoder.0", images).relu(), 2)).relu()
    code = dense(p, "bottleneck", h.flatten(1)).relu()
    maps = dense(p, "decoder.0", code).relu().reshape(-1, 4, 14, 14)
    return bce(conv("decoder.3", F.interpolate(maps, scale_factor=2)), images)


def recurrent_loss(walk, states):
    """walk: PyTorch's function of the cell, which has `states` initial states of zeros."""

    def loss(p, x, step):
        def layer(name, v):
            weights = [p[f"{name}.{kind}_l0"] for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
            zeros = [torch.zeros(1, len(v), 16) for _ in range(states)]
            return walk(v, zeros if states > 1 else zeros[0], weights, True, 1, 0.0, True, False, True)[0]

        series = x.reshape(-1, SIDE, SIDE)
        code = dense(p, "bottleneck", layer("encoder.0", series)[:, -1])
        return bce(dense(p, "decoder.2", layer("decoder.1", code[:, None].repeat(1, SIDE, 1))), series)

    return loss


VARIANT_LOSSES = {
    "l1": loss_l1,
    "kl_sparsity": loss_kl_sparsity,
    "contractive_closed": loss_contractive_closed,
    "contractive_exact": loss_contractive_exact,
    "variational": loss_variational,
    "convolutional": loss_convolutional,
    "lstm": recurrent_loss(torch._VF.lstm, 2),
    "gru": recurrent_loss(torch._VF.gru, 1),
}


def train_variant_in_torch(case, rows):
    parameters = {name: tensor.requires_grad_() for name, tensor in make_variant_weights(case).items()}
    optimizer, losses, x = torch_optimizer(case["optimizer"], parameters.values()), [], rows.float() / 255
    for step in range(STEPS):
        first = step * BATCH % ROWS
        loss = VARIANT_LOSSES[case["name"]](parameters, x[first : first + BATCH], step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


# ---- This program ------------------------------------------------------------------------------------------------------


def layer_names(widths):
    """Ours, in PyTorch's order of layers."""
    half = len(widths) // 2
    return [f"encoder.{i}" for i in range(half - 1)] + ["bottleneck"] + [f"decoder.{i}" for i in range(half)]


def experiment(case, device, model, rename):
    """An experiment file; JSON is YAML."""
    return {
        "name": case["name"],
        "device": device,
        "data": {
            "source": "safetensors",
            "path": "rows.safetensors",
            "key": "rows",
            "shape": case.get("shape", [784]),
            "scale": "unit",
            "split": "ordered",
            "validation": "none",
            "test": "none",
        },
        "model": model,
        "train": {
            "steps": STEPS,
            "batch_size": BATCH,
            "shuffle": False,
            "validate": 1,
            "optimizer": case["optimizer"],
            "init": {"file": case["name"] + ".safetensors", "rename": rename},
        },
        "evaluate": [],
        "figures": [],
    }


def train_here(case, options, folder, weights, model, rename):
    name = case["name"]
    save_file(weights, folder / f"{name}.safetensors")
    (folder / f"{name}.yaml").write_text(json.dumps(experiment(case, options.device, model, rename)))
    latent(options, folder, "run", f"{name}.yaml", "--overwrite")
    lines = (folder / "runs" / name / "seed-0" / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["train"]["loss"] for line in lines]


def train_dense_here(case, options, folder):
    widths = case["widths"]
    half = len(widths) // 2
    model = {
        "encoder": [{"dense": w, "activation": "relu"} for w in widths[1:half]],
        "bottleneck": {"dense": widths[half], "activation": "relu"},
        "likelihood": "bce",
    }
    rename = {str(2 * i): name for i, name in enumerate(layer_names(widths))}
    return train_here(case, options, folder, make_model(widths).state_dict(), model, rename)


def latent(options, folder, *arguments):
    done = subprocess.run([options.latent, *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"latent {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")


# ---- Comparisons -------------------------------------------------------------------------------------------------------


class Report:
    failed = False

    def line(self, what, error, bound):
        good = error <= bound  # not where it is NaN
        self.failed |= not good
        print(f"{what:48} {error:9.2e}  (at most {bound:.0e})  {'ok' if good else 'FAILED'}", flush=True)


def relative(ours, theirs):
    if len(ours) != len(theirs):
        return math.inf
    ours, theirs = np.array(ours), np.array(theirs)
    return float(np.max(np.abs(ours - theirs) / np.abs(theirs)))


def compare_trainings(options, folder, report):
    rows = make_rows()
    save_file({"rows": rows}, folder / "rows.safetensors")
    records = []
    for case in TRAININGS:
        theirs, ours = train_in_torch(case, rows), train_dense_here(case, options, folder)
        compare_losses(report, case["name"], ours, theirs)
        records.append({**case, "losses": theirs})
    compare_record(options, report, "trainings.json", records, lambda r: r["losses"][:20], 1e-5)


def compare_losses(report, name, ours, theirs):
    for steps, bound in TOLERANCE.items():
        report.line(f"{name}: loss over {steps} steps", relative(ours[:steps], theirs[:steps]), bound)


def compare_variants(options, folder, report):
    rows, records = make_rows(), []
    for case in VARIANTS:
        theirs = train_variant_in_torch(case, rows)
        ours = train_here(case, options, folder, make_variant_weights(case), case["model"], {})
        compare_losses(report, case["name"], ours, theirs)
        records.append({**case, "tensors": [list(each) for each in variant_tensors(case)], "losses": theirs})
    compare_record(options, report, "variants.json", records, lambda r: r["losses"][:20], 1e-5)


def compare_optimizers(options, report):
    records = [{**case, "steps": SNAPSHOTS, "p": optimize_in_torch(case)} for case in OPTIMIZERS]
    compare_record(options, report, "optimizers.json", records, lambda r: sum(r["p"], []), 1e-9)


def compare_record(options, report, file, records, values, bound):
    """What parity_test.cpp compares with is what this PyTorch gives."""
    path = TESTS / "parity" / file
    if options.record:
        path.write_text("[\n" + ",\n".join(map(json.dumps, records)) + "\n]\n")
    for recorded, now in zip(json.loads(path.read_text()), records, strict=True):
        if any(recorded[key] != now[key] for key in now if key not in ("losses", "p")):
            sys.exit(f"{path}: holds other cases than this script; run it with --record")
        report.line(f"{now['name']}: record", relative(values(now), values(recorded)), bound)


def compare_readme_module(options, folder, report):
    """The code of the README's section, in a folder with the run that it names; of the deep model, with its widths."""
    section = (TESTS.parent / "README.md").read_text().split("## Weights in PyTorch")[1].split("\n## ")[0]
    code = "\n".join(re.findall(r"```python\n(.*?)```", section, re.S))
    for case in (c for c in TRAININGS if c["name"].endswith("_adam")):
        name, widths = case["name"], case["widths"]
        half, run, output = len(widths) // 2, f"runs/{name}/seed-0", f"{name}-output.safetensors"
        latent(options, folder, "reconstruct", run, "--data", "rows.safetensors", "-o", output)
        ours = load_file(folder / output)["rows"]
        model = f"Autoencoder({widths[:half]}, {widths[half]}, {widths[half + 1 :]})"
        adapted = code.replace("Autoencoder([784], 32, [784])", model).replace("runs/simple/seed-0", str(folder / run))
        scope = {"rows": load_file(folder / "rows.safetensors")["rows"].float()}
        exec(adapted, scope)
        # The values reach 255: the difference as a share of that.
        error = (scope["reconstructions"] - ours).abs().max().item() / 255
        report.line(f"{name}: the README's module", error, 1e-5)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--latent", default=TESTS.parent / "build/latent", type=pathlib.Path, help="the binary")
    parser.add_argument("--device", default="cpu", help="of this program; PyTorch's is the CPU")
    parser.add_argument("--record", action="store_true", help="write tests/parity/")
    options, report = parser.parse_args(), Report()
    options.latent = options.latent.resolve()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        compare_trainings(options, folder, report)
        compare_variants(options, folder, report)
        compare_optimizers(options, report)
        compare_readme_module(options, folder, report)
    print("FAILED" if report.failed else "PyTorch and this program agree")
    return int(report.failed)


if __name__ == "__main__":
    sys.exit(main())
