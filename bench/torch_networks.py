"""The measured networks in PyTorch, from the papers' tables: what models/*.cpp builds, dropout and stochastic depth
included. NETWORKS maps a name to a function of the input's channels and side that makes the network, 7 classes."""

import torch
import torch.nn.functional as F
from torch import nn

CLASSES = 7


def flatten(x):
    """In the order height, width, channel: without a copy where channels stand last."""
    return x.permute(0, 2, 3, 1).flatten(1)


def mean_of_map(x):
    return x.mean((2, 3))


def conv_norm(channels, width, kernel=1, stride=1, groups=1, activation=None, **norm):
    """Convolution without bias, batch-norm, and an activation if one is given."""
    layers = [
        nn.Conv2d(channels, width, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(width, **norm),
    ]
    return nn.Sequential(*layers, *([activation(inplace=True)] if activation else []))


class Pooled(nn.Module):
    """Features, global average pooling, and a classifier."""

    def __init__(self, features, *classifier):
        super().__init__()
        self.features, self.classifier = features, nn.Sequential(*classifier)

    def forward(self, x):
        return self.classifier(mean_of_map(self.features(x)))


class Flattened(nn.Module):
    """Features, and one dense layer on all of their map."""

    def __init__(self, features, size):
        super().__init__()
        self.features, self.output = features, nn.Linear(size, CLASSES)

    def forward(self, x):
        return self.output(flatten(self.features(x)))


KERAS_NORM = {"eps": 1e-3, "momentum": 0.01}


def cnn(blocks):
    """Paper 004: blocks of conv 3x3 - ReLU - batch-norm, each ending in max-pool and dropout."""

    def make(channels, size):
        layers = []
        for width, depth in [(64, 2), (128, 3), (256, 4), (256, 4), (512, 4)][:blocks]:
            for _ in range(depth):
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(width, **KERAS_NORM)]
                channels = width
            layers += [nn.MaxPool2d(2), nn.Dropout(0.3)]
        return Flattened(nn.Sequential(*layers), channels * (size >> blocks) ** 2)

    return make


def vanilla_cnn(channels, size):
    """Paper 001's baseline: three stages of three conv 3x3 - batch-norm - ReLU, then max-pool."""
    layers = []
    for width in (64, 128, 256):
        for _ in range(3):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return Flattened(nn.Sequential(*layers), channels * (size // 8) ** 2)


class InvertedResidual(nn.Module):
    """MobileNetV2, table 1: expand 1x1, depthwise 3x3, project 1x1."""

    def __init__(self, channels, width, stride, expansion):
        super().__init__()
        hidden = channels * expansion
        layers = [conv_norm(channels, hidden, activation=nn.ReLU6)] if expansion != 1 else []
        layers.append(conv_norm(hidden, hidden, 3, stride, hidden, nn.ReLU6))
        self.layers = nn.Sequential(*layers, conv_norm(hidden, width))
        self.joined = stride == 1 and channels == width

    def forward(self, x):
        return x + self.layers(x) if self.joined else self.layers(x)


def mobilenet_v2_features(channels):
    """MobileNetV2, table 2."""
    layers = [conv_norm(channels, 32, 3, 2, activation=nn.ReLU6)]
    channels = 32
    for expansion, width, repeats, stride in [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]:
        for i in range(repeats):
            layers.append(InvertedResidual(channels, width, stride if i == 0 else 1, expansion))
            channels = width
    return nn.Sequential(*layers, conv_norm(320, 1280, activation=nn.ReLU6))


def mobilenet_v2(channels, size):
    del size
    head = [nn.Linear(1280, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, CLASSES)]
    return Pooled(mobilenet_v2_features(channels), *head)


class Bottleneck(nn.Module):
    """ResNet, figure 5 right, the stride on the 3x3 convolution."""

    def __init__(self, channels, width, stride):
        super().__init__()
        self.layers = nn.Sequential(
            conv_norm(channels, width, activation=nn.ReLU),
            conv_norm(width, width, 3, stride, activation=nn.ReLU),
            conv_norm(width, 4 * width),
        )
        changes = stride != 1 or channels != 4 * width
        self.shortcut = conv_norm(channels, 4 * width, stride=stride) if changes else nn.Identity()

    def forward(self, x):
        return F.relu(self.layers(x) + self.shortcut(x), inplace=True)


def resnet50(channels, size):
    """ResNet, table 1, 50 layers."""
    del size
    layers = [conv_norm(channels, 64, 7, 2, activation=nn.ReLU), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for width, depth in [(64, 3), (128, 4), (256, 6), (512, 3)]:
        for i in range(depth):
            layers.append(Bottleneck(channels, width, 2 if i == 0 and width > 64 else 1))
            channels = 4 * width
    return Pooled(nn.Sequential(*layers), nn.Linear(2048, CLASSES))


class StnResNet50(nn.Module):
    """Paper 001: an affine map read from the image, the image sampled through it, ResNet50."""

    def __init__(self, channels, size):
        super().__init__()
        self.localization = nn.Sequential(
            nn.Conv2d(channels, 64, 7), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(64, 64, 5), nn.MaxPool2d(2), nn.ReLU()
        )
        side = ((size - 6) // 2 - 4) // 2
        self.theta = nn.Linear(64 * side * side, 6)
        nn.init.zeros_(self.theta.weight)
        with torch.no_grad():
            self.theta.bias.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0]))
        self.resnet = resnet50(channels, size)

    def forward(self, x):
        theta = self.theta(flatten(self.localization(x))).view(-1, 2, 3)
        with torch.autocast(x.device.type, enabled=False):  # sampling points in bf16 would be whole pixels off
            grid = F.affine_grid(theta.to(x.dtype), x.shape, align_corners=False)
            x = F.grid_sample(x, grid, align_corners=False)
        return self.resnet(x)


class DenseLayer(nn.Module):
    """DenseNet's bottleneck layer: 32 more maps beside those it reads."""

    def __init__(self, channels):
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(inplace=True),
            nn.Conv2d(128, 32, 3, padding=1, bias=False),
        )

    def forward(self, x):
        return torch.cat([x, self.layers(x)], 1)


def densenet121_features(channels):
    """DenseNet, table 1, 121 layers."""
    layers = [conv_norm(channels, 64, 7, 2, activation=nn.ReLU), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for depth in (6, 12, 24, 16):
        for _ in range(depth):
            layers.append(DenseLayer(channels))
            channels += 32
        if depth != 16:
            layers += [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
            layers += [nn.Conv2d(channels, channels // 2, 1, bias=False), nn.AvgPool2d(2)]
            channels //= 2
    return nn.Sequential(*layers, nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


def densenet121(channels, size):
    del size
    return Pooled(densenet121_features(channels), nn.Linear(1024, CLASSES))


def vgg19_features(channels):
    """VGG, table 1, column E."""
    layers = []
    for width, depth in [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)]:
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def vgg19(channels, size):
    del size
    return Pooled(vgg19_features(channels), nn.Linear(512, CLASSES))


class SqueezeExcite(nn.Module):
    def __init__(self, channels, squeezed, activation):
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, squeezed, 1), nn.Conv2d(squeezed, channels, 1)
        self.activation = activation

    def forward(self, x):
        squeezed = self.activation(self.reduce(F.adaptive_avg_pool2d(x, 1)))
        return x * torch.sigmoid(self.expand(squeezed))


class GatedResidual(nn.Module):
    """EfficientNet's block: MobileNetV2's with squeeze-excite, SiLU and stochastic depth."""

    def __init__(self, channels, width, kernel, stride, expansion, drop_path):
        super().__init__()
        hidden = channels * expansion
        layers = [conv_norm(channels, hidden, activation=nn.SiLU)] if expansion != 1 else []
        layers.append(conv_norm(hidden, hidden, kernel, stride, hidden, nn.SiLU))
        layers.append(SqueezeExcite(hidden, max(1, channels // 4), F.silu))
        self.layers = nn.Sequential(*layers, conv_norm(hidden, width))
        self.joined = stride == 1 and channels == width
        self.drop_path = drop_path

    def forward(self, x):
        y = self.layers(x)
        if not self.joined:
            return y
        if self.training and self.drop_path > 0:
            kept = torch.empty(len(y), 1, 1, 1, dtype=y.dtype, device=y.device).bernoulli_(1 - self.drop_path)
            y = y * (kept / (1 - self.drop_path))
        return x + y


def efficientnet_b0(channels, size):
    """EfficientNet, table 1."""
    del size
    layers = [conv_norm(channels, 32, 3, 2, activation=nn.SiLU)]
    channels = 32
    for expansion, kernel, stride, width, repeats in [
        (1, 3, 1, 16, 1),
        (6, 3, 2, 24, 2),
        (6, 5, 2, 40, 2),
        (6, 3, 2, 80, 3),
        (6, 5, 1, 112, 3),
        (6, 5, 2, 192, 4),
        (6, 3, 1, 320, 1),
    ]:
        for i in range(repeats):
            drop_path = 0.2 * (len(layers) - 1) / 16
            layers.append(GatedResidual(channels, width, kernel, stride if i == 0 else 1, expansion, drop_path))
            channels = width
    layers.append(conv_norm(320, 1280, activation=nn.SiLU))
    return Pooled(nn.Sequential(*layers), nn.Dropout(0.2), nn.Linear(1280, CLASSES))


def separable(channels, width):
    depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
    return nn.Sequential(depthwise, conv_norm(channels, width, **KERAS_NORM))


class SeparableBlock(nn.Module):
    """Paper 003: two separable convolutions, squeeze-excite, max-pool 'same', a strided shortcut."""

    def __init__(self, channels, width):
        super().__init__()
        self.layers = nn.Sequential(
            separable(channels, width),
            nn.ReLU(inplace=True),
            separable(width, width),
            SqueezeExcite(width, width // 16, F.relu),
            nn.MaxPool2d(3, 2, ceil_mode=True),  # 'same' for even sides, which all of its maps have
        )
        self.shortcut = conv_norm(channels, width, stride=2, **KERAS_NORM)

    def forward(self, x):
        return F.relu(self.layers(x) + self.shortcut(x), inplace=True)


def se_separable(channels, size):
    if size % 16:
        raise ValueError(f"se_separable: made for sides that are multiples of 16, not {size}")
    layers = []
    for width in (32, 64):
        layers.append(conv_norm(channels, width, 3, activation=nn.ReLU, **KERAS_NORM))
        channels = width
    for width in (64, 128, 256, 512):
        layers += [SeparableBlock(channels, width), nn.Dropout(0.25)]
        channels = width
    return Pooled(nn.Sequential(*layers), nn.Dropout(0.5), nn.Linear(512, CLASSES))


class Edl(nn.Module):
    """Paper 000's ensemble: DenseNet121, MobileNetV2 and VGG19 side by side."""

    def __init__(self, channels, size):
        super().__init__()
        self.densenet = densenet121_features(channels)
        self.mobilenet = mobilenet_v2_features(channels)
        self.vgg = vgg19_features(channels)
        self.densenet_head = nn.Linear(1024, 1024)
        self.mobilenet_head = nn.Linear(1280, 128)
        self.vgg_head = nn.Linear(512 * (size // 32) ** 2, 1024)
        joined = 1024 + 128 + 1024
        self.head = nn.Sequential(
            nn.BatchNorm1d(joined, **KERAS_NORM),
            nn.Linear(joined, 128),
            nn.ReLU(),
            nn.BatchNorm1d(128, **KERAS_NORM),
            nn.Linear(128, CLASSES),
        )

    def forward(self, x):
        densenet = F.relu(self.densenet_head(mean_of_map(self.densenet(x))))
        mobilenet = F.relu(self.mobilenet_head(mean_of_map(self.mobilenet(x))))
        vgg = F.relu(self.vgg_head(flatten(self.vgg(x))))
        return self.head(torch.cat([densenet, mobilenet, vgg], 1))


NETWORKS = {
    "cnn_2block": cnn(2),
    "cnn_5block": cnn(5),
    "mobilenet_v2": mobilenet_v2,
    "resnet50": resnet50,
    "stn_resnet50": StnResNet50,
    "densenet121": densenet121,
    "vgg19": vgg19,
    "efficientnet_b0": efficientnet_b0,
    "vanilla_cnn": vanilla_cnn,
    "se_separable": se_separable,
    "edl": Edl,
}
