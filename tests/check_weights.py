#!/usr/bin/python3
"""Full-size networks of torchvision, timm and Keras against PyTorch's own arithmetic, in double.

    tests/check_weights.py FER_LOGITS [MODEL ...]

For each network random weights are written to a file as PyTorch, timm or Keras would, FER_LOGITS loads it, and its
logits are compared. What it saves again must load in PyTorch with strict=True, equal bit for bit. Needs python3-torch,
python3-torchvision, python3-h5py and numpy; exits with 77, "skipped", without them.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
    import torch
    import torch.nn.functional as F
    import torchvision
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

TOLERANCE = 1e-5
SIZE = 224
CLASSES = 1000


# ---- files

def write_safetensors(path, tensors):
    kinds = {np.dtype("float32"): "F32", np.dtype("int64"): "I64"}
    header, offset = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": kinds[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for tensor in tensors.values():
            file.write(np.ascontiguousarray(tensor).tobytes())


def read_safetensors(path):
    kinds = {"F32": np.float32, "I64": np.int64}
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: np.frombuffer(data[slice(*entry["data_offsets"])], kinds[entry["dtype"]]).reshape(entry["shape"])
            for name, entry in header.items()}


def write_names(group, name, names):
    """A list of names as Keras keeps it: split into parts where it is larger than an attribute may be."""
    names = np.asarray([one.encode() for one in names])
    parts = 1
    while any(part.nbytes > 64512 for part in np.array_split(names, parts)):
        parts += 1
    if parts == 1:
        group.attrs[name] = names
        return
    for i, part in enumerate(np.array_split(names, parts)):
        group.attrs[f"{name}{i}"] = part


def write_keras(path, layers, whole_model):
    """layers: name -> [(weight's name, array)] in Keras' order; beside them stand layers without weights."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole_model else file
        root.attrs["backend"], root.attrs["keras_version"] = b"tensorflow", b"2.11.0"
        write_names(root, "layer_names", ["input_1", *layers, "avg_pool"])
        for empty in ("input_1", "avg_pool"):
            write_names(root.create_group(empty), "weight_names", [])
        for name, weights in layers.items():
            group = root.create_group(name)
            write_names(group, "weight_names", [f"{name}/{leaf}:0" for leaf, _ in weights])
            for leaf, array in weights:
                group.create_dataset(f"{name}/{leaf}:0", data=array)


# ---- the same weights in timm's names

def timm_block(index, repeats):
    """The stage and block of the index-th block, counted from 0."""
    for stage, count in enumerate(repeats):
        if index < count:
            return f"blocks.{stage}.{index}"
        index -= count
    raise ValueError(index)


def to_timm(model, name):
    renamed = {"mobilenet_v2": {"features.0.0": "conv_stem", "features.0.1": "bn1", "features.18.0": "conv_head",
                                "features.18.1": "bn2", "classifier.1": "classifier"},
               "efficientnet_b0": {"features.0.0": "conv_stem", "features.0.1": "bn1", "features.8.0": "conv_head",
                                   "features.8.1": "bn2", "classifier.1": "classifier"},
               "vgg19": {"classifier.0": "pre_logits.fc1", "classifier.3": "pre_logits.fc2", "classifier.6": "head.fc"},
               }.get(model, {})
    owner, leaf = name.rsplit(".", 1)
    if owner in renamed:
        return f"{renamed[owner]}.{leaf}"
    expanded = ["conv_pw", "bn1", "conv_dw", "bn2"]
    if model == "mobilenet_v2":
        index, part = re.fullmatch(r"features\.(\d+)\.conv\.(.*)", owner).groups()
        first = dict(zip(["0.0", "0.1", "1", "2"], ["conv_dw", "bn1", "conv_pw", "bn2"]))
        other = dict(zip(["0.0", "0.1", "1.0", "1.1", "2", "3"], expanded + ["conv_pwl", "bn3"]))
        return f"{timm_block(int(index) - 1, [1, 2, 3, 4, 3, 3, 1])}.{(first if index == '1' else other)[part]}.{leaf}"
    if model == "efficientnet_b0":
        stage, block, part = re.fullmatch(r"features\.(\d+)\.(\d+)\.block\.(.*)", owner).groups()
        gate = ["se.conv_reduce", "se.conv_expand"]
        first = dict(zip(["0.0", "0.1", "1.fc1", "1.fc2", "2.0", "2.1"], ["conv_dw", "bn1", *gate, "conv_pw", "bn2"]))
        other = dict(zip(["0.0", "0.1", "1.0", "1.1", "2.fc1", "2.fc2", "3.0", "3.1"],
                         expanded + gate + ["conv_pwl", "bn3"]))
        return f"blocks.{int(stage) - 1}.{block}.{(first if stage == '1' else other)[part]}.{leaf}"
    return name


def in_timm(model, state):
    result = {to_timm(model, name): tensor for name, tensor in state.items()}
    if model == "vgg19":
        for name, shape in {"pre_logits.fc1": (4096, 512, 7, 7), "pre_logits.fc2": (4096, 4096, 1, 1)}.items():
            result[name + ".weight"] = result[name + ".weight"].reshape(shape)
    return result


def in_old_torchvision(state):
    return {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", name): tensor
            for name, tensor in state.items()}


# ---- Keras' networks, written from its definitions; weights are made as they are met, in Keras' layouts

class Keras:
    def __init__(self, seed, epsilon):
        self.random, self.epsilon, self.layers = np.random.default_rng(seed), epsilon, {}

    def uniform(self, low, high, *shape):
        return self.random.uniform(low, high, shape).astype(np.float32)

    def weights(self, layer, **arrays):
        self.layers[layer] = list(arrays.items())
        return [torch.from_numpy(array).double() for array in arrays.values()]

    def conv(self, x, name, out, kernel=1, stride=1, padding="same", bias=False, depthwise=False):
        inputs = x.shape[1]
        bound = (6 / (kernel * kernel * (1 if depthwise else inputs))) ** 0.5
        shape = (kernel, kernel, inputs, 1 if depthwise else out)
        kernels = {"depthwise_kernel" if depthwise else "kernel": self.uniform(-bound, bound, *shape)}
        biases = {"bias": self.uniform(-0.1, 0.1, out)} if bias else {}
        weight, *rest = self.weights(name, **kernels, **biases)
        weight = weight.permute(2, 3, 0, 1) if depthwise else weight.permute(3, 2, 0, 1)
        if padding == "same":  # TensorFlow's: the smaller half first
            total = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[2:]]
            x = F.pad(x, (total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2))
        else:
            x = F.pad(x, (padding,) * 4)
        return F.conv2d(x, weight, rest[0] if rest else None, stride, groups=inputs if depthwise else 1)

    def norm(self, x, name):
        channels = x.shape[1]
        gamma, beta, mean, variance = self.weights(
            name, gamma=self.uniform(0.9, 1.1, channels), beta=self.uniform(-0.1, 0.1, channels),
            moving_mean=self.uniform(-0.1, 0.1, channels), moving_variance=self.uniform(0.8, 1.2, channels))
        return F.batch_norm(x, mean, variance, gamma, beta, eps=self.epsilon)

    def dense(self, x, name, out):
        bound = (6 / x.shape[1]) ** 0.5
        kernel, bias = self.weights(name, kernel=self.uniform(-bound, bound, x.shape[1], out),
                                    bias=self.uniform(-0.1, 0.1, out))
        return x @ kernel + bias

    def top(self, x):
        return self.dense(x.mean((2, 3)), "predictions", CLASSES)


def keras_mobilenet_v2(k, x):
    x = F.relu6(k.norm(k.conv(x, "Conv1", 32, 3, 2), "bn_Conv1"))
    block = 0
    for expansion, width, repeats, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                              (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]:
        for i in range(repeats):
            prefix, y = f"block_{block}_" if block else "expanded_conv_", x
            if block:
                y = F.relu6(k.norm(k.conv(y, prefix + "expand", x.shape[1] * expansion), prefix + "expand_BN"))
            y = k.conv(y, prefix + "depthwise", y.shape[1], 3, stride if i == 0 else 1, depthwise=True)
            y = F.relu6(k.norm(y, prefix + "depthwise_BN"))
            y = k.norm(k.conv(y, prefix + "project", width), prefix + "project_BN")
            x = x + y if i else y
            block += 1
    return k.top(F.relu6(k.norm(k.conv(x, "Conv_1", 1280), "Conv_1_bn")))


def keras_resnet50(k, x):
    x = F.relu(k.norm(k.conv(x, "conv1_conv", 64, 7, 2, padding=3, bias=True), "conv1_bn"))
    x = F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2)
    for stage, (width, blocks, stride) in enumerate([(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)]):
        for block in range(1, blocks + 1):
            name, step = f"conv{stage + 2}_block{block}_", stride if block == 1 else 1

            def layer(x, part, out, kernel=1, stride=1, name=name):
                return k.norm(k.conv(x, f"{name}{part}_conv", out, kernel, stride, bias=True), f"{name}{part}_bn")

            shortcut = layer(x, 0, 4 * width, 1, step) if block == 1 else x
            y = F.relu(layer(x, 1, width, 1, step))
            y = layer(F.relu(layer(y, 2, width, 3)), 3, 4 * width)
            x = F.relu(shortcut + y)
    return k.top(x)


def keras_densenet121(k, x):
    x = F.relu(k.norm(k.conv(x, "conv1/conv", 64, 7, 2, padding=3), "conv1/bn"))
    x = F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2)
    for stage, blocks in enumerate([6, 12, 24, 16], 2):
        for block in range(1, blocks + 1):
            name = f"conv{stage}_block{block}_"
            y = k.conv(F.relu(k.norm(x, name + "0_bn")), name + "1_conv", 128)
            x = torch.cat([x, k.conv(F.relu(k.norm(y, name + "1_bn")), name + "2_conv", 32, 3)], 1)
        if stage < 5:
            x = k.conv(F.relu(k.norm(x, f"pool{stage}_bn")), f"pool{stage}_conv", x.shape[1] // 2)
            x = F.avg_pool2d(x, 2, 2)
    return k.top(F.relu(k.norm(x, "bn")))


def keras_vgg19(k, x):
    for stage, (width, count) in enumerate([(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)], 1):
        for i in range(1, count + 1):
            x = F.relu(k.conv(x, f"block{stage}_conv{i}", width, 3, bias=True))
        x = F.max_pool2d(x, 2, 2)
    x = x.permute(0, 2, 3, 1).flatten(1)  # Keras flattens H,W,C
    x = F.relu(k.dense(F.relu(k.dense(x, "fc1", 4096)), "fc2", 4096))
    return k.dense(x, "predictions", CLASSES)


def keras_efficientnet_b0(k, x):
    x = F.silu(k.norm(k.conv(x, "stem_conv", 32, 3, 2), "stem_bn"))
    for stage, (expansion, kernel, stride, width, repeats) in enumerate(
            [(1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
             (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)], 1):
        for i in range(repeats):
            name, y = f"block{stage}{chr(ord('a') + i)}_", x
            if expansion > 1:
                y = F.silu(k.norm(k.conv(y, name + "expand_conv", x.shape[1] * expansion), name + "expand_bn"))
            y = k.conv(y, name + "dwconv", y.shape[1], kernel, stride if i == 0 else 1, depthwise=True)
            y = F.silu(k.norm(y, name + "bn"))
            gate = F.silu(k.conv(y.mean((2, 3), keepdim=True), name + "se_reduce", x.shape[1] // 4, bias=True))
            y = y * torch.sigmoid(k.conv(gate, name + "se_expand", y.shape[1], bias=True))
            y = k.norm(k.conv(y, name + "project_conv", width), name + "project_bn")
            x = x + y if i else y
    return k.top(F.silu(k.norm(k.conv(x, "top_conv", 1280), "top_bn")))


MODELS = {"mobilenet_v2": (keras_mobilenet_v2, 1e-3), "resnet50": (keras_resnet50, 1.001e-5),
          "densenet121": (keras_densenet121, 1.001e-5), "vgg19": (keras_vgg19, 0),
          "efficientnet_b0": (keras_efficientnet_b0, 1e-3)}


# ---- comparison

class Check:
    def __init__(self, program, folder):
        self.program, self.folder, self.failures = program, folder, 0
        self.images = np.random.default_rng(7).uniform(0, 1, (1, SIZE, SIZE, 3)).astype(np.float32)
        write_safetensors(self.path("images"), {"images": self.images})

    def path(self, name):
        return os.path.join(self.folder, name)

    def input(self):
        return torch.from_numpy(self.images).double().permute(0, 3, 1, 2)

    def report(self, what, good, text):
        print(f"{'ok  ' if good else 'FAIL'} {what}: {text}", flush=True)
        self.failures += not good

    def logits(self, what, model, weights, convention, expected):
        """Runs the program on a weights file, which is removed; compares."""
        result = subprocess.run([self.program, model, weights, self.path("images"), self.path("out"), convention,
                                 str(CLASSES), "none"], stderr=subprocess.PIPE, text=True, check=False)
        os.remove(weights)
        if result.returncode != 0:
            self.report(what, False, result.stderr.strip())
            return
        actual = read_safetensors(self.path("out"))["logits"].astype(np.float64)
        error = np.linalg.norm(actual - expected) / np.linalg.norm(expected)
        self.report(what, error <= TOLERANCE, f"relative error of the logits {error:.1e}")

    def torch(self, model):
        torch.manual_seed(3)
        network = getattr(torchvision.models, model)(num_classes=CLASSES).eval()
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.running_mean.uniform_(-0.1, 0.1)
                    module.running_var.uniform_(0.8, 1.2)
                    module.weight.uniform_(0.9, 1.1)
                    module.bias.uniform_(-0.1, 0.1)
        state = {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}
        expected = network.double()(self.input()).detach().numpy()
        write_safetensors(self.path("weights"), state)
        self.logits(f"{model}, torchvision's names", model, self.path("weights"), "torchvision", expected)

        saved = read_safetensors(self.path("out.weights"))
        os.remove(self.path("out.weights"))
        network = getattr(torchvision.models, model)(num_classes=CLASSES)
        try:
            network.load_state_dict({name: torch.from_numpy(tensor.copy()) for name, tensor in saved.items()})
            same = saved.keys() == state.keys() and all(
                np.array_equal(saved[name], tensor) for name, tensor in state.items())
            self.report(f"{model}, saved again", same, f"{len(saved)} tensors load with strict=True, "
                        f"{'equal bit for bit' if same else 'but differ'}")
        except RuntimeError as error:
            self.report(f"{model}, saved again", False, str(error).splitlines()[0])

        write_safetensors(self.path("weights"), in_timm(model, state))
        self.logits(f"{model}, timm's names", model, self.path("weights"), "torchvision", expected)
        if model == "densenet121":
            write_safetensors(self.path("weights"), in_old_torchvision(state))
            self.logits(f"{model}, torchvision's old names", model, self.path("weights"), "torchvision", expected)

    def keras(self, model):
        forward, epsilon = MODELS[model]
        for whole_model in (True, False):
            network = Keras(5, epsilon)
            expected = forward(network, self.input()).numpy()
            write_keras(self.path("weights"), network.layers, whole_model)
            self.logits(f"{model}, Keras' .h5{' of a whole model' if whole_model else ''}", model,
                        self.path("weights"), "keras", expected)


def main():
    with tempfile.TemporaryDirectory() as folder:
        check = Check(sys.argv[1], folder)
        for model in sys.argv[2:] or MODELS:
            with torch.no_grad():
                check.torch(model)
                check.keras(model)
    return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())
