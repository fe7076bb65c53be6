import keras
import numpy as np
import pytest

from rocket_keras import Rocket, schedules


def weight(schedule, step):
    return float(schedule(keras.ops.convert_to_tensor(np.int32(step))))


def test_constant_is_the_same_at_every_step():
    assert [weight(schedules.Constant(0.25), step) for step in (0, 999)] == [0.25, 0.25]


def test_warm_up_is_zero_before_the_swap_step():
    schedule = schedules.WarmUp(0.5, swap_step=3)
    assert [weight(schedule, step) for step in range(5)] == [0, 0, 0, 0.5, 0.5]


def test_linear_ends_at_its_end():
    schedule = schedules.Linear(1.0, 0.0, steps=4)
    assert [weight(schedule, step) for step in (0, 1, 4, 100)] == [1.0, 0.75, 0.0, 0.0]


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_weight_must_be_finite_and_not_negative(bad):
    with pytest.raises(ValueError, match="weight must be a finite number"):
        schedules.Constant(bad)


def test_the_schedule_moves_inside_a_compiled_step(make_pair, rows):
    # Before the swap step the hint must not move the light head; from it on, it must.
    def light_after(schedule, batches):
        keras.utils.set_random_seed(3)
        pair = make_pair(share=False)
        rocket = Rocket(pair, hint_weight=schedule)
        rocket.compile(keras.optimizers.SGD(0.1), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        x, y = rows(8 * batches)
        rocket.fit(x, y, batch_size=8, shuffle=False, verbose=0)
        return np.concatenate([w.ravel() for w in pair.light.get_weights()])

    late = schedules.WarmUp(0.5, swap_step=3)
    np.testing.assert_array_equal(light_after(late, 3), light_after(0.0, 3))
    assert np.abs(light_after(late, 4) - light_after(0.0, 4)).max() > 1e-5
