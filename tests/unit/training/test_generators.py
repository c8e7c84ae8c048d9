from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.unit.training.synthetic import write_data
from training import generators, photos, prepare
from training.data import Faces
from training.generators import BadInput


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generators")
    prepare.main(["--data", str(write_data(folder / "data")), "--to", str(folder / "prepared")])
    return folder / "prepared"


def generate(generator: str, to: Path, prepared: Path, labels: list[str], each: int = 2) -> dict[str, bytes]:
    with photos.open_pipeline() as pipeline:
        generators.generate(generator, to, labels, each, 1, prepared=prepared, pipeline=pipeline)
    return {str(path.relative_to(to)): path.read_bytes() for path in sorted(to.glob("*/*"))}


def test_morphs_are_the_same_again_and_continue(prepared: Path, tmp_path: Path) -> None:
    whole = generate("morph", tmp_path / "whole", prepared, ["fear", "sad"], 3)
    generate("morph", tmp_path / "parts", prepared, ["fear"], 1)
    assert list(whole) == [f"{label}/0000{number}.png" for label in ("fear", "sad") for number in range(3)]
    assert len(set(whole.values())) == len(whole)
    assert generate("morph", tmp_path / "parts", prepared, ["fear", "sad"], 3) == whole


def test_a_label_without_faces_cannot_be_blended(prepared: Path, tmp_path: Path) -> None:
    faces = Faces.load(prepared / "train.npz")
    (tmp_path / "few").mkdir()
    faces.subset(np.arange(8)).save(tmp_path / "few" / "train.npz")
    with pytest.raises(BadInput, match="fewer than two training faces of fear"):
        generate("morph", tmp_path / "out", tmp_path / "few", ["fear"])


@pytest.mark.skipif(not find_spec("diffusers"), reason="diffusers is not here")
def test_a_folder_that_is_no_pipeline_is_named(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"is not the folder of a diffusers pipeline: it has no model_index.json\.$"):
        generate(f"diffusers:{tmp_path}", tmp_path / "out", prepared, ["fear"])
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(BadInput, match=r"^diffusers cannot load .* \(KeyError\)\.$"):
        generate(f"diffusers:{tmp_path}", tmp_path / "out", prepared, ["fear"])


@pytest.mark.skipif(bool(find_spec("diffusers")), reason="diffusers is here")
def test_without_diffusers_it_says_what_to_install(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="pip install diffusers transformers"):
        generate(f"diffusers:{tmp_path}", tmp_path / "out", prepared, ["fear"])


@pytest.mark.skipif(not find_spec("diffusers"), reason="diffusers is not here")
@pytest.mark.filterwarnings("ignore")
def test_a_pipeline_of_diffusers_draws_what_it_is_asked_for(prepared: Path, tmp_path: Path) -> None:
    tiny_pipeline(tmp_path / "pipeline")
    made = generate(f"diffusers:{tmp_path / 'pipeline'}", tmp_path / "out", prepared, ["fear", "happy"], 1)
    again = generate(f"diffusers:{tmp_path / 'pipeline'}", tmp_path / "again", prepared, ["fear", "happy"], 1)
    assert list(made) == ["fear/00000.png", "happy/00000.png"]
    assert made == again
    assert len(set(made.values())) == 2


def tiny_pipeline(folder: Path) -> None:
    """A text-to-image pipeline with random weights."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    torch.manual_seed(0)

    folder.mkdir()
    letters = [chr(code) for code in range(33, 127)]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    (folder / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    text = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    blocks = {"block_out_channels": (8, 16), "norm_num_groups": 4}
    StableDiffusionPipeline(
        vae=AutoencoderKL(
            latent_channels=4,
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            **blocks,
        ),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77),
        unet=UNet2DConditionModel(
            sample_size=16,
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=16,
            attention_head_dim=2,
            **blocks,
        ),
        scheduler=DDIMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
