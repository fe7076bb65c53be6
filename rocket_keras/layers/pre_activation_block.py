"""The pre-activation residual block of a Wide ResNet, with convolutions that a twin can share."""

import keras
from keras import layers


class PreActivationBlock:
    """BN-ReLU-conv3x3-BN-ReLU-conv3x3 plus a shortcut; `twin` shares the convolutions and owns its BatchNorms.

    Where the block changes the number of channels, its shortcut is a 1x1 convolution of the first BN-ReLU's output;
    elsewhere it is the block's input. No convolution has a bias.

    This is a builder over stock Keras layers, not a layer of its own: so Keras's functional saving keeps the sharing,
    and a detached light net loads in a process that has Keras alone.

    Args:
        filters: Channels of the output.
        stride: Stride of the first convolution and of the shortcut.
        project: Whether the shortcut is a 1x1 convolution.
        dropout: Share of the second convolution's inputs that are dropped in training; a twin drops none.
        name: Prefix of the layers' names.

    Example:

    ```python
    block = PreActivationBlock(16, name="booster_block")
    booster_features = block(images)
    light_features = block.twin("light_block")(images)
    ```

    References:
        Zagoruyko, Komodakis, Wide Residual Networks, BMVC 2016; Zhou et al., Rocket Launching, AAAI 2018, section on
        sharing.
    """

    def __init__(self, filters: int, stride: int = 1, project: bool = False, dropout: float = 0.0, name: str = "block"):
        self.dropout = dropout
        self.conv1 = _convolution(filters, 3, stride, f"{name}_conv1")
        self.conv2 = _convolution(filters, 3, 1, f"{name}_conv2")
        self.shortcut = _convolution(filters, 1, stride, f"{name}_shortcut") if project else None
        self._own_norms(name)

    def twin(self, name: str) -> "PreActivationBlock":
        """Return a block with these convolutions and BatchNorms of its own."""
        block = object.__new__(PreActivationBlock)
        block.dropout = 0.0
        block.conv1, block.conv2, block.shortcut = self.conv1, self.conv2, self.shortcut
        block._own_norms(name)
        return block

    def __call__(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Apply the block: `(batch, height, width, channels)` to its `filters` channels.

        Height and width are divided by the stride, rounded up.
        """
        active = layers.Activation("relu", name=f"{self.name}_relu1")(self.norm1(x))
        hidden = layers.Activation("relu", name=f"{self.name}_relu2")(self.norm2(self.conv1(active)))
        if self.dropout:
            hidden = layers.Dropout(self.dropout, name=f"{self.name}_dropout")(hidden)
        kept = x if self.shortcut is None else self.shortcut(active)
        return layers.Add(name=f"{self.name}_add")([self.conv2(hidden), kept])

    def _own_norms(self, name: str) -> None:
        self.name = name
        self.norm1, self.norm2 = batch_norm(f"{name}_norm1"), batch_norm(f"{name}_norm2")


def batch_norm(name: str) -> layers.BatchNormalization:
    """BatchNorm with the statistics' momentum and epsilon of the authors' code (0.9 kept, 1e-5)."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)


def _convolution(filters: int, size: int, stride: int, name: str) -> layers.Conv2D:
    return layers.Conv2D(
        filters, size, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
    )
