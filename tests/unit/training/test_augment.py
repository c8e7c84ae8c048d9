from __future__ import annotations

import torch

from training.augment import Augmentation, Augmenter

SETTINGS = Augmentation(noise_probability=1.0, erase_probability=1.0, mixup_probability=1.0)


def augmenter() -> Augmenter:
    return Augmenter(SETTINGS, torch.Generator().manual_seed(3))


def faces(count: int) -> torch.Tensor:
    return torch.rand(count, 1, 48, 48, generator=torch.Generator().manual_seed(1)) * 255


def test_without_strength_a_face_is_at_most_mirrored() -> None:
    plain = faces(16)
    changed = augmenter()(plain, 48, torch.zeros(16))
    for before, after in zip(plain, changed, strict=True):
        apart = min(float((after - view).abs().max()) for view in (before, before.flip(2)))
        assert apart < 0.1


def test_each_face_is_changed_by_its_own_strength() -> None:
    plain = faces(8)
    half = torch.tensor([0.0, 1.0] * 4)
    some, whole = augmenter()(plain, 48, half), augmenter()(plain, 48, torch.ones(8))
    torch.testing.assert_close(some[1::2], whole[1::2])
    assert not torch.isclose(some[0::2], whole[0::2]).all()


def test_strength_scales_the_probability_of_mixup() -> None:
    weight, partners = augmenter().mixing(torch.tensor([0.0, 1.0] * 500))
    assert (weight[0::2] == 1).all()
    assert (weight[1::2] < 1).all()
    assert sorted(partners.tolist()) == list(range(1000))
