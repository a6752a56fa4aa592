"""Reads a picture or a video and writes it anew, in the jail: neither metadata nor anything hidden in it survives.

Of a video it also writes the sound alone, as whoever reads speech wants it, so that no decoder runs anywhere else.
Nothing of Django is imported here: this is a process of its own, and has none of our settings or keys.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import av.error
import av.logging
from PIL import Image, ImageOps, UnidentifiedImageError

from core import jail

# A phone's picture, three times what platforms hand out; 4K of a video. WebP's decoder holds a picture four times.
MOST_PIXELS = {"JPEG": 4096 * 3072, "PNG": 4096 * 3072, "GIF": 4096 * 3072, "WEBP": 6_000_000, "video": 4096 * 2160}
LONGEST_SIDE, LONGEST_SIDE_OF_FRAME = 2160, 1280
MOST_STREAMS = 16
QUALITY = 88
# Whose pixels are colours; those of a palette are numbers, and must become colours before they can be mixed.
SHRINKABLE = {"L", "RGB", "RGBA", "CMYK", "YCbCr"}
SOUND_RATE = 16_000
# Which codecs each of our containers takes as they are.
CONTAINERS = {
    "mp4": ({"h264", "hevc", "av1", "mpeg4"}, {"aac", "mp3", "ac3"}),
    "webm": ({"vp8", "vp9", "av1"}, {"opus", "vorbis"}),
}
UNREADABLE = (
    av.error.FFmpegError,
    UnidentifiedImageError,
    Image.DecompressionBombError,
    OSError,
    ValueError,
    SyntaxError,
)


def decode(job: dict[str, Any]) -> dict[str, Any]:
    try:
        found = ACTS[job["kind"]](job)
    except MemoryError:
        raise jail.Refusal("media_too_large") from None
    except UNREADABLE as problem:
        raise jail.Refusal("media_unreadable", problem=type(problem).__name__) from None
    return found | {"peak_mb": _peak_mb()}


def _peak_mb() -> int:
    """The most memory this process has held; what `getrusage` says counts the process that started us too."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*([0-9]+) kB", status.read_text()) if status.exists() else None
    return int(found[1]) // 1024 if found else 0


def _picture(job: dict[str, Any]) -> dict[str, Any]:
    # Our own bound is looked at before anything is decoded; Pillow's would warn first.
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(job["path"], formats=[job["decoder"]]) as picture:
        if picture.width * picture.height > MOST_PIXELS[job["decoder"]]:
            raise jail.Refusal("media_too_large", pixels=picture.width * picture.height)
        picture.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        picture.load()
        # In place, and small first: a large picture is there once, whatever is done with it.
        if picture.mode in SHRINKABLE:
            picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        ImageOps.exif_transpose(picture, in_place=True)
        return _write_picture(picture, Path(job["folder"]) / "picture", LONGEST_SIDE)


def _write_picture(picture: Image.Image, path: Path, longest: int) -> dict[str, Any]:
    see_through = "A" in picture.getbands() or "transparency" in picture.info
    picture = picture.convert("RGBA" if see_through else "RGB")
    picture.thumbnail((longest, longest))
    # Into an empty one: whatever else the picture carried stays behind.
    plain = Image.new(picture.mode, picture.size)
    plain.paste(picture)
    form, extension = ("PNG", "png") if see_through else ("JPEG", "jpg")
    path = path.with_suffix(f".{extension}")
    plain.save(path, form, **({} if see_through else {"quality": QUALITY}))
    return {"path": str(path), "extension": extension, "width": plain.width, "height": plain.height}


def _opened(job: dict[str, Any]) -> Any:
    av.logging.set_level(av.logging.PANIC)
    # The format is named, so that no playlist is followed, and no protocol but the file's own is spoken.
    options = {"protocol_whitelist": "file", "enable_drefs": "0", "use_absolute_path": "0"}
    form = "mov" if job["decoder"] == "mp4" else "matroska"
    return av.open(job["path"], format=form, options=options, container_options=options)


def _video(job: dict[str, Any]) -> dict[str, Any]:
    with _opened(job) as container:
        if len(container.streams) > MOST_STREAMS or not container.streams.video:
            raise jail.Refusal("media_unreadable", streams=len(container.streams))
        seconds = _seconds_of(container)
        if seconds > job["most_seconds"]:
            raise jail.Refusal("media_too_large", seconds=round(seconds))
        shown = container.streams.video[0]
        size = {"width": shown.codec_context.width, "height": shown.codec_context.height}
        if size["width"] * size["height"] > MOST_PIXELS["video"]:
            raise jail.Refusal("media_too_large", **size)
        shown.codec_context.thread_count = 1
        frames = _frames(container, job, seconds)
        copy = _copy(container, Path(job["folder"]), job["most_seconds"])
    return {**copy, **size, "seconds": round(seconds, 3), "frames": frames}


def _seconds_of(container: Any) -> float:
    if container.duration:
        return float(container.duration) / av.time_base
    shown = container.streams.video[0]
    return float(shown.duration * shown.time_base) if shown.duration else 0.0


def moments(seconds: float, count: int) -> list[float]:
    """The first seconds one by one, for that is where people stay or go; the rest evenly."""
    first = [float(n) for n in range(4) if n == 0 or n < seconds][:count]
    left = count - len(first)
    step = (seconds - 3.0) / (left + 1)
    return first + [3.0 + step * n for n in range(1, left + 1)] if seconds > 4 else first


def _frames(container: Any, job: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
    frames = []
    shown = container.streams.video[0]
    for moment in moments(seconds, job["frames"]):
        container.seek(int(moment / shown.time_base), stream=shown)
        frame = next(
            (frame for frame in container.decode(shown) if frame.time is None or frame.time >= moment - 0.05), None
        )
        if frame is not None:
            at = round(moment * 1000)
            path = Path(job["folder"]) / f"frame-{at}"
            frames.append({"milliseconds": at, **_write_picture(_shrunk(frame), path, LONGEST_SIDE_OF_FRAME)})
    return frames


def _shrunk(frame: Any) -> Image.Image:
    share = min(1.0, LONGEST_SIDE_OF_FRAME / max(frame.width, frame.height))
    size = {"width": max(1, round(frame.width * share)), "height": max(1, round(frame.height * share))}
    picture: Image.Image = frame.reformat(**size, format="rgb24").to_image()
    return picture


def _copy(container: Any, folder: Path, most_seconds: float) -> dict[str, Any]:
    """The first picture and the first sound, packet by packet, into a container of ours."""
    shown = container.streams.video[0]
    heard = container.streams.audio[0] if container.streams.audio else None
    for extension, (shows, sounds) in CONTAINERS.items():
        if shown.codec_context.name.removeprefix("lib") in shows or shown.codec.canonical_name in shows:
            streams = [shown] + ([heard] if heard and heard.codec.canonical_name in sounds else [])
            path = folder / f"video.{extension}"
            _write_streams(container, streams, path, most_seconds)
            return {"path": str(path), "extension": extension}
    raise jail.Refusal("media_unreadable", codec=shown.codec.canonical_name)


def _write_streams(container: Any, streams: list[Any], path: Path, most_seconds: float) -> None:
    container.seek(0)
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as copy:
        copies = {stream.index: copy.add_stream_from_template(stream) for stream in streams}
        for packet in container.demux(streams):
            # The last one of a stream is empty and says only that it is the last.
            if packet.dts is None:
                continue
            if float(packet.dts * packet.time_base) > most_seconds:
                raise jail.Refusal("media_too_large")
            packet.stream = copies[packet.stream.index]
            copy.mux(packet)


def _sound(job: dict[str, Any]) -> dict[str, Any]:
    """Raw, one channel, two bytes a number, no more than the greatest length."""
    path, left = Path(job["folder"]) / "sound", int(job["most_seconds"] * SOUND_RATE) * 2
    with _opened(job) as container, path.open("wb") as file:
        if not container.streams.audio:
            raise jail.Refusal("no_audio")
        for piece in _pieces(container, container.streams.audio[0]):
            left -= file.write(piece[:left])
            if left <= 0:
                break
    return {"path": str(path)}


def _pieces(container: Any, heard: Any) -> Iterator[bytes]:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SOUND_RATE)
    for packet in container.demux(heard):
        # One that is damaged is a gap, not the end.
        with suppress(av.error.InvalidDataError):
            for frame in packet.decode():
                yield from map(_bytes_of, resampler.resample(frame))
    yield from map(_bytes_of, resampler.resample(None))


def _bytes_of(frame: Any) -> bytes:
    # A plane is longer than what it holds.
    return bytes(frame.planes[0])[: frame.samples * 2]


ACTS = {"image": _picture, "video": _video, "sound": _sound}

if __name__ == "__main__":
    jail.serve(decode)
