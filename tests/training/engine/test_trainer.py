import copy
import itertools

import numpy as np
import pytest
import torch
from states import assert_equal
from strategies import tiny
from torch import nn

from edgenext_search.data import ImageSet
from edgenext_search.models.build import build
from edgenext_search.training.engine.loader import MemoryLoader, evaluation_batches
from edgenext_search.training.engine.numerics import Numerics
from edgenext_search.training.engine.trainer import Trainer, TrainerOptions
from edgenext_search.training.errors import TrainingDivergedError
from edgenext_search.training.proxy.recipe import TrainRecipe

CPU = torch.device("cpu")


def separable(count=64, seed=0):
    """Two classes, bright above or bright below."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = rng.integers(0, 80, (count, 3, 32, 32))
    images[labels == 0, :, :16] += 150
    images[labels == 1, :, 16:] += 150
    return ImageSet(images=images.astype(np.uint8), labels=labels)


def a_loader(images=None, *, batch_size=16, seed=0):
    return MemoryLoader(images or separable(), batch_size=batch_size, img_size=32, seed=seed, device=CPU)


def linear(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(48, 2))


def network(seed=0, drop_path=0.0):
    torch.manual_seed(seed)
    return build(tiny(), num_classes=2, drop_path=drop_path, layer_scale_init=0.1)


def scored(trainer, images=None):
    return evaluated(trainer, images).top1


def evaluated(trainer, images=None):
    return trainer.evaluate(evaluation_batches(images or separable(seed=1), img_size=32, device=CPU))


def test_a_separable_set_is_learned():
    recipe = TrainRecipe(epochs=6, batch_size=16, lr=3e-3, ema_decay=0.9)
    trainer = Trainer(network(), recipe, seed=0)
    losses = _record_losses(trainer)
    before = scored(trainer)
    trainer.fit(a_loader(), until=6)

    assert before < scored(trainer) == 1.0
    assert np.mean(losses[-6:]) < 0.7 * np.mean(losses[:6])


def _record_losses(trainer):
    losses, step = [], trainer.step

    def recording(images, labels, batch_size):
        loss = step(images, labels, batch_size)
        losses.append(loss.item())
        return loss

    trainer.step = recording
    return losses


def test_the_learning_rate_rises_then_falls_to_zero_before_every_rung():
    recipe = TrainRecipe(epochs=12, lr=0.01, warmup_share=0.2)
    trainer = Trainer(linear(), recipe, seed=0)
    for until, steps in ((4, 16), (12, 32)):
        rates = []
        trainer.fit(
            a_loader(),
            until=until,
            on_step=lambda done, total, rates=rates: rates.append((done, total, _rate(trainer))),
        )
        assert [done for done, _, _ in rates] == list(range(1, steps + 1))
        assert {total for _, total, _ in rates} == {steps}
        values = [rate for _, _, rate in rates]
        peak = values.index(max(values))
        assert round(0.2 * steps) - 1 <= peak <= round(0.2 * steps)
        assert values[:peak] == sorted(values[:peak])
        assert values[0] <= recipe.lr / 4
        assert values[peak:] == sorted(values[peak:], reverse=True)
        assert 0.85 * recipe.lr < values[peak] <= recipe.lr
        assert 0 < values[-1] < 0.01 * recipe.lr  # the step after it would have had none


def _rate(trainer):
    (rate,) = {group["lr"] for group in trainer.optimizer.param_groups}
    return rate


@pytest.mark.parametrize("warmup_share", [0.0, 0.99])
def test_warm_up_of_no_step_and_of_all_steps(warmup_share):
    trainer = Trainer(linear(), TrainRecipe(epochs=1, lr=0.01, warmup_share=warmup_share), seed=0)
    rates = []
    trainer.fit(a_loader(), until=1, on_step=lambda *_: rates.append(_rate(trainer)))
    assert all(0 < rate <= 0.01 for rate in rates)


def test_one_batch_an_epoch_is_enough():
    trainer = Trainer(linear(), TrainRecipe(epochs=1, batch_size=999), seed=0)
    trainer.fit(a_loader(batch_size=999), until=1)
    assert trainer.epoch == 1


def test_the_score_is_read_off_the_averaged_weights():
    trainer = Trainer(linear(), TrainRecipe(epochs=3, lr=0.01), seed=0)
    trainer.fit(a_loader(), until=3)
    raw, averaged = trainer.model[2].weight, trainer.ema.module[2].weight
    assert not torch.equal(raw, averaged)
    score = scored(trainer)
    assert not trainer.ema.module.training  # no stochastic depth
    with torch.no_grad():
        raw.fill_(float("nan"))
        assert scored(trainer) == score
        averaged.neg_()
        trainer.ema.module[2].bias.neg_()
    assert scored(trainer) == pytest.approx(1 - score)


def test_the_last_weights_are_scored_where_asked():
    trainer = Trainer(linear(), TrainRecipe(epochs=1, weights="last"), seed=0)
    trainer.fit(a_loader(), until=1)
    assert trainer.scored is trainer.model
    score = scored(trainer)
    with torch.no_grad():
        trainer.ema.module[2].weight.fill_(float("nan"))
        assert scored(trainer) == score
    trainer.fit(a_loader(), until=2)
    assert trainer.model.training  # again


@pytest.mark.parametrize("micro_batch", [None, 7])
def test_the_loss_is_the_mean_cross_entropy(micro_batch):
    trainer = Trainer(linear(), TrainRecipe(label_smoothing=0.3), seed=0, micro_batch=micro_batch)
    images, labels = zip(*evaluation_batches(separable(seed=1), img_size=32, device=CPU), strict=True)
    logits = trainer.ema.module(torch.cat(images))
    wanted = torch.nn.functional.cross_entropy(logits, torch.cat(labels)).item()
    assert evaluated(trainer).loss == pytest.approx(wanted, rel=1e-5)


def test_the_average_follows_its_decay():
    trainer = Trainer(linear(), TrainRecipe(epochs=1, ema_decay=0.0), seed=0)
    trainer.fit(a_loader(), until=1)
    assert torch.equal(trainer.model[2].weight, trainer.ema.module[2].weight)


@pytest.mark.parametrize("recipe", [TrainRecipe(lr=1e30, clip_grad=None), TrainRecipe(lr=1e30)])
def test_a_loss_that_is_no_number_ends_the_training(recipe):
    trainer = Trainer(network(), recipe, seed=0)
    with pytest.raises(TrainingDivergedError, match=r"the loss is (nan|inf) in epoch 1; a lower lr may help"):
        trainer.fit(a_loader(), until=1)


def test_divergence_is_noticed_long_before_the_end():
    model = linear()
    with torch.no_grad():
        model[2].weight.fill_(float("nan"))
    trainer = Trainer(model, TrainRecipe(epochs=100), seed=0)
    steps = []
    with pytest.raises(TrainingDivergedError):
        trainer.fit(a_loader(), until=100, on_step=lambda done, _: steps.append(done))
    assert len(steps) < 60  # of 400


def test_gradients_are_clipped_only_where_asked():
    def moved(clip_grad):
        trainer = Trainer(linear(), TrainRecipe(epochs=1, clip_grad=clip_grad, weight_decay=0, lr=1e-2), seed=0)
        norms = []
        step = trainer.optimizer.step
        trainer.optimizer.step = lambda *a, **k: (norms.append(_gradient_norm(trainer.model)), step(*a, **k))
        trainer.fit(a_loader(), until=1)
        return norms

    assert max(moved(1e-3)) <= 1.001e-3
    assert max(moved(None)) > 0.05


def _gradient_norm(model):
    return float(torch.linalg.vector_norm(torch.stack([p.grad.norm() for p in model.parameters()])))


@pytest.mark.parametrize("cut", [1, 2])
def test_a_restored_trainer_goes_on_bit_for_bit(cut, tmp_path):
    recipe = TrainRecipe(epochs=3, batch_size=16, drop_path=0.3)  # stochastic depth draws in every step
    straight = Trainer(network(drop_path=0.3), recipe, seed=5)
    straight.fit(a_loader(seed=5), until=cut)
    torch.save(straight.state(), tmp_path / "state.pt")
    straight.fit(a_loader(seed=5), until=3)

    restored = Trainer(network(seed=99, drop_path=0.3), recipe, seed=5)
    restored.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    torch.rand(7)
    restored.fit(a_loader(seed=5), until=3)

    assert_equal(straight.state(), restored.state())
    assert scored(straight) == scored(restored)


def test_the_seed_decides_what_is_random_in_a_step():
    def trained(seed):
        trainer = Trainer(network(drop_path=0.5), TrainRecipe(epochs=1, batch_size=16, drop_path=0.5), seed=seed)
        trainer.fit(a_loader(), until=1)
        return trainer.state()["model"]

    assert_equal(trained(1), trained(1))
    with pytest.raises(AssertionError):
        assert_equal(trained(1), trained(2))


def test_an_epoch_that_is_reached_is_not_trained_again():
    trainer = Trainer(linear(), TrainRecipe(epochs=2), seed=0)
    trainer.fit(a_loader(), until=2)
    before = copy.deepcopy(trainer.state())
    trainer.fit(a_loader(), until=2, on_step=lambda *_: pytest.fail("a step too many"))
    trainer.fit(a_loader(), until=1, on_step=lambda *_: pytest.fail("a step too many"))
    assert_equal(before, trainer.state())


def test_soft_targets_are_smoothed_as_labels_are():
    """The loss of a mixed image is the mixture of the smoothed losses of its two classes."""
    model = linear()
    trainer = Trainer(model, TrainRecipe(label_smoothing=0.2), seed=0)
    images, first = torch.rand(5, 3, 8, 8), torch.tensor([0, 1, 0, 1, 1])
    share = torch.rand(5, 1)
    targets = share * nn.functional.one_hot(first, 2) + (1 - share) * nn.functional.one_hot(1 - first, 2)
    each = nn.CrossEntropyLoss(label_smoothing=0.2, reduction="none")
    with torch.no_grad():
        expected = share[:, 0] * each(model(images), first) + (1 - share[:, 0]) * each(model(images), 1 - first)
        torch.testing.assert_close(trainer._loss(model(images), targets), expected.mean())


def test_a_separable_set_is_learned_from_mixed_images():
    recipe = TrainRecipe(epochs=6, batch_size=16, lr=3e-3, ema_decay=0.9, mixup=0.2)
    loader = MemoryLoader(
        separable(), batch_size=16, img_size=32, seed=0, device=CPU, augmentation=recipe.augmentation, num_classes=2
    )
    trainer = Trainer(network(), recipe, seed=0)
    trainer.fit(loader, until=6)
    assert scored(trainer) == 1.0


@pytest.mark.parametrize("micro_batch", [1, 5, 15, 16, 100])
def test_micro_batches_change_nothing_but_rounding(micro_batch):
    recipe = TrainRecipe(epochs=1, batch_size=16)
    whole, parts = Trainer(network(), recipe, seed=0), Trainer(network(), recipe, seed=0, micro_batch=micro_batch)
    expected, losses = _record_losses(whole), _record_losses(parts)
    for trainer in (whole, parts):
        trainer.fit(a_loader(), until=1)
    assert len(losses) > 2
    assert losses == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    "numerics",
    [Numerics(channels_last=True), Numerics(precision="bf16"), Numerics(precision="bf16", channels_last=True)],
)
def test_other_numerics_learn_the_same(numerics):
    recipe = TrainRecipe(epochs=6, batch_size=16, lr=3e-3, ema_decay=0.9)
    trainer = Trainer(network(), recipe, seed=0, numerics=numerics)
    inputs = []
    convolution = next(module for module in trainer.model.modules() if isinstance(module, nn.Conv2d))
    convolution.register_forward_hook(lambda _module, given, output: inputs.append((given[0], output)))
    trainer.fit(a_loader(), until=6)
    images, output = inputs[0]
    assert images.is_contiguous(memory_format=torch.channels_last) == numerics.channels_last
    assert output.dtype == (torch.bfloat16 if numerics.precision == "bf16" else torch.float32)
    assert all(parameter.dtype == torch.float32 for parameter in trainer.model.parameters())
    assert scored(trainer) == 1.0


def test_scaled_losses_skip_a_step_that_overflows():
    """What fp16 does on a GPU; the scaler works the same on a CPU."""
    recipe = TrainRecipe(epochs=1, batch_size=16, lr=1e-3)
    trainer = Trainer(network(), recipe, seed=0, numerics=Numerics(precision="fp16"))
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    scale = trainer.state()["scaler"]["scale"]
    images, labels = next(a_loader().epoch(0))
    trainer.step(images * float("inf"), labels, len(labels))
    assert all(torch.equal(value, before[name]) for name, value in trainer.model.state_dict().items())
    assert trainer.state()["scaler"]["scale"] < scale
    other = Trainer(network(), recipe, seed=0, numerics=Numerics(precision="fp16"))
    other.restore(trainer.state())
    assert other.state()["scaler"] == trainer.state()["scaler"]


class Overflowing:
    """A loader some of whose batches are too much for float16."""

    def __init__(self, *numbers):
        self.loader, self.numbers = a_loader(), numbers
        self.batches, self.batch_sizes = self.loader.batches, self.loader.batch_sizes

    def epoch(self, epoch, start=0):
        for number, (images, labels) in enumerate(self.loader.epoch(epoch, start), 4 * epoch + start):
            yield images * (float("inf") if number in self.numbers else 1), labels


def in_float16(**recipe):
    options = TrainerOptions(reseed_steps=True)
    return Trainer(linear(), TrainRecipe(**recipe), seed=0, numerics=Numerics(precision="fp16"), options=options)


def test_a_loss_that_overflows_costs_its_step_alone():
    trainer = in_float16()
    losses = _record_losses(trainer)
    trainer.fit(Overflowing(0, 5, 6), until=2, on_step=lambda *_: trainer.check())
    assert [not np.isfinite(loss) for loss in losses] == [True, *[False] * 4, True, True, False]
    assert trainer.losses == pytest.approx([np.mean(losses[1:4]), np.mean([losses[4], losses[7]])])
    assert scored(trainer) > 0.5


def test_losses_that_overflowed_stay_left_out_in_a_restored_trainer(tmp_path):
    straight, cut = in_float16(), in_float16()

    def stop(done, _total):
        if done == 3:
            raise KeyboardInterrupt

    straight.fit(Overflowing(1), until=1)
    with pytest.raises(KeyboardInterrupt):
        cut.fit(Overflowing(1), until=1, on_step=stop)
    torch.save(cut.state(), tmp_path / "state.pt")
    restored = in_float16()
    restored.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    restored.fit(Overflowing(1), until=1)
    assert straight.losses == restored.losses


def test_losses_that_overflowed_on_two_processes_are_left_out_on_one():
    """Of four steps on two processes, one overflowed on both."""
    trainer = in_float16()
    trainer.restore(trainer.state() | {"position": 4, "summed": [1.0, 2.0], "skipped": [0.5, 0.5]})
    trainer.fit(a_loader(), until=1)
    assert trainer.losses == [1.0]


def test_float16_that_overflows_for_good_ends_the_training():
    with pytest.raises(TrainingDivergedError, match="the loss is nan in epoch 2; a lower lr may help"):
        in_float16().fit(Overflowing(4, 5, 6, 7), until=3)
    overflowed, scaled_down = in_float16(), in_float16()
    with torch.no_grad():
        overflowed.model[2].weight[0, 0] = float("inf")
    scaled_down._scaler.load_state_dict({**scaled_down._scaler.state_dict(), "scale": 5e-5})
    for trainer in (overflowed, scaled_down):
        with pytest.raises(TrainingDivergedError, match="float16 overflows in epoch 1; a lower lr may help"):
            trainer.check()


@pytest.mark.parametrize(("before", "after"), [("fp32", "fp16"), ("fp16", "fp32")])
def test_a_training_resumes_in_another_precision(before, after, tmp_path):
    """As where one that was begun on a CPU goes on on a GPU."""
    begun, other = (
        Trainer(linear(), TrainRecipe(epochs=2), seed=0, numerics=Numerics(precision=precision))
        for precision in (before, after)
    )
    begun.fit(a_loader(), until=1)
    torch.save(begun.state(), tmp_path / "state.pt")
    other.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    other.fit(a_loader(), until=2)
    assert other.epoch == 2
    assert np.isfinite(other.losses).all()


def test_micro_batches_are_scored_one_by_one():
    whole = Trainer(network(), TrainRecipe(batch_size=16), seed=0)
    parts = Trainer(network(), TrainRecipe(batch_size=16), seed=0, micro_batch=5)
    sizes = []
    parts.ema.module.register_forward_hook(lambda _module, given, _output: sizes.append(len(given[0])))
    assert scored(parts) == scored(whole)
    assert max(sizes) == 5
    assert sum(sizes) == len(separable().labels)


SPARED = {"gamma", "gamma_xca", "bias", "temperature"}  # by the last part of a name


@pytest.mark.parametrize("weight_decay", [0.05, 0.0])
@pytest.mark.parametrize("norm_act", ["ln_gelu", "bn_hs"])
def test_weight_decay_acts_on_kernels_and_matrices_alone(norm_act, weight_decay):
    """Also the order counts: it is that of the optimizer's state in checkpoints."""
    model = build(tiny(norm_act=norm_act), num_classes=3)
    options = TrainerOptions(decay_temperatures=False)
    trainer = Trainer(model, TrainRecipe(weight_decay=weight_decay), seed=0, options=options)
    names = {parameter: name for name, parameter in model.named_parameters()}
    spared, decaying = ([names[p] for p in group["params"]] for group in trainer.optimizer.param_groups)
    norms = {f"{name}.weight" for name, module in model.named_modules() if "Norm" in type(module).__name__}
    expected = {name for name in names.values() if name in norms or name.rpartition(".")[2] in SPARED}
    assert spared == [name for name in names.values() if name in expected]
    assert decaying == [name for name in names.values() if name not in expected]
    assert [group["weight_decay"] for group in trainer.optimizer.param_groups] == [0.0, weight_decay]
    assert sum("temperature" in name for name in spared) == 2  # one for each SDTA block


@pytest.mark.parametrize("norm_act", ["ln_gelu", "bn_hs"])
def test_a_loader_that_fails_between_two_parts_of_a_step_leaves_the_last_step(norm_act):
    def trainer():
        torch.manual_seed(0)
        model = build(tiny(norm_act=norm_act), num_classes=2, layer_scale_init=0.1)
        options = TrainerOptions(accumulate=2, reseed_steps=True)
        return Trainer(model, TrainRecipe(epochs=2, batch_size=16, lr=1e-3), seed=0, options=options)

    class Failing(MemoryLoader):
        def epoch(self, epoch, start=0):
            yield from itertools.islice(super().epoch(epoch, start), 3)
            raise OSError

    def stop(_done, _total):
        raise OSError

    torn, stopped = trainer(), trainer()
    with pytest.raises(OSError):  # noqa: PT011 - it has no text
        torn.fit(Failing(separable(), batch_size=16, img_size=32, seed=0, device=CPU), until=2)
    with pytest.raises(OSError):  # noqa: PT011
        stopped.fit(a_loader(), until=2, on_step=stop)
    for part in ("model", "ema"):
        for name, value in stopped.state()[part].items():
            assert torch.equal(value, torn.state()[part][name]), name
    assert (torn.updates, torn.position, torn.losses) == (1, 1, [])
    for one in (torn, stopped):
        one.fit(a_loader(), until=2)
    assert torn.losses == stopped.losses
