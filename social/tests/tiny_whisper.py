"""A Whisper model that fits into a test: real files, read and run by the real engine, and random weights."""

from pathlib import Path
from typing import Any

import numpy as np
from ctranslate2.specs import WhisperSpec
from faster_whisper.tokenizer import _LANGUAGE_CODES as LANGUAGES
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

WIDTH, MELS, HEARD, SAID = 64, 80, 1500, 448
# What the engine knows a model of many languages by: in its vocabulary this one is empty.
NOTHING = "nothing"
MARKS = [
    *["<|endoftext|>", "<|startoftranscript|>"],
    *[f"<|{language}|>" for language in LANGUAGES],
    *["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"],
]
TIMES = [f"<|{number * 0.02:.2f}|>" for number in range(1501)]


def build(folder: Path, *, says: str = "") -> Path:
    """A model of chance; or one that hears English in everything, and this word in the first half second of it."""
    tokenizer, spec, chance = _tokenizer(), WhisperSpec(1, 2, 1, 2), np.random.default_rng(7)
    tokens = sorted(tokenizer.get_vocab(), key=tokenizer.token_to_id)
    _fill_encoder(spec.encoder, chance)
    _fill_decoder(spec.decoder, chance, len(tokens))
    if says:
        _teach(spec.decoder, [tokenizer.token_to_id(token) for token in _script(says)])
    spec.register_vocabulary(["" if token == NOTHING else token for token in tokens])
    spec.config.lang_ids = [tokenizer.token_to_id(f"<|{language}|>") for language in LANGUAGES]
    spec.config.suppress_ids, spec.config.suppress_ids_begin, spec.config.alignment_heads = [], [], [(0, 0)]
    spec.validate()
    folder.mkdir()
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def _tokenizer() -> Any:
    """One token a byte, and Whisper's own marks."""
    letters = [*sorted(pre_tokenizers.ByteLevel.alphabet()), NOTHING]
    tokenizer = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(MARKS)
    tokenizer.add_tokens(TIMES)
    return tokenizer


def _script(says: str) -> list[str]:
    """What follows upon each token, those of the prompt first: begin, English, transcribe."""
    words = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(says)
    spoken = [letter for word, _ in words for letter in word]
    return ["<|en|>", "<|transcribe|>", TIMES[0], *spoken, TIMES[25], MARKS[0]]


def _teach(decoder: Any, follows: list[int]) -> None:
    """Let the place alone decide: each has a direction of its own, and the token that is to follow looks there."""
    assert len(follows) <= WIDTH
    for place, token in enumerate(follows):
        decoder.position_encodings.encodings[place, place] += 20.0
        decoder.projection.weight[token, place] += 3.0


def _fill_encoder(encoder: Any, chance: np.random.Generator) -> None:
    _fill_linear(encoder.conv1, chance, WIDTH, MELS, 3)
    _fill_linear(encoder.conv2, chance, WIDTH, WIDTH, 3)
    encoder.position_encodings.encodings = _some(chance, HEARD, WIDTH)
    _fill_norm(encoder.layer_norm)
    for layer in encoder.layer:
        _fill_attention(layer.self_attention, chance, 3, 1)
        _fill_feed_forward(layer.ffn, chance)


def _fill_decoder(decoder: Any, chance: np.random.Generator, tokens: int) -> None:
    decoder.embeddings.weight = _some(chance, tokens, WIDTH)
    decoder.projection.weight = _some(chance, tokens, WIDTH)
    decoder.position_encodings.encodings = _some(chance, SAID, WIDTH)
    _fill_norm(decoder.layer_norm)
    for layer in decoder.layer:
        _fill_attention(layer.self_attention, chance, 3, 1)
        _fill_attention(layer.attention, chance, 1, 2, 1)
        _fill_feed_forward(layer.ffn, chance)


def _fill_attention(attention: Any, chance: np.random.Generator, *parts: int) -> None:
    _fill_norm(attention.layer_norm)
    for linear, part in zip(attention.linear, parts, strict=True):
        _fill_linear(linear, chance, part * WIDTH, WIDTH)


def _fill_feed_forward(ffn: Any, chance: np.random.Generator) -> None:
    _fill_norm(ffn.layer_norm)
    _fill_linear(ffn.linear_0, chance, 4 * WIDTH, WIDTH)
    _fill_linear(ffn.linear_1, chance, WIDTH, 4 * WIDTH)


def _fill_norm(norm: Any) -> None:
    norm.gamma, norm.beta = np.ones(WIDTH, "float32"), np.zeros(WIDTH, "float32")


def _fill_linear(linear: Any, chance: np.random.Generator, *shape: int) -> None:
    linear.weight, linear.bias = _some(chance, *shape), _some(chance, shape[0])


def _some(chance: np.random.Generator, *shape: int) -> Any:
    return (chance.standard_normal(shape) * 0.05).astype("float32")
