"""Fine-tunes a zoo pair on another data set: the pair of handwritten digits on small grey CIFAR-10 images.

ROCKET_KERAS_DATA=D python examples/fine_tune.py, with CIFAR-10's binary version in D.
"""

import rocket_keras as rk  # before Keras: it chooses an installed backend

# isort: split
import keras

import zoo
from zoo.data.cifar import load_cifar10


def small(images):
    """Average 4x4 pixels and the colours: (rows, 32, 32, 3) to (rows, 8, 8, 1), standardised."""
    grey = images.reshape(-1, 8, 4, 8, 4, 3).mean(axis=(2, 4, 5))[..., None]
    return ((grey - 120.7) / 50.0).astype("float32")


data = load_cifar10(None, train_rows=2000)
pair = zoo.replace_head(zoo.load("digits"), num_classes=10)
rocket = rk.Rocket(pair, hint_weight=0.03)
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
rocket.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
rocket.fit(small(data.train.x), data.train.y, batch_size=64, epochs=3, verbose=2)
scores = rocket.evaluate(small(data.test.x), data.test.y, verbose=0, return_dict=True)
print({name: round(float(scores[name]), 4) for name in ("light_accuracy", "booster_accuracy")})
