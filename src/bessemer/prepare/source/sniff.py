"""The kind of a file from its first bytes."""

from __future__ import annotations


def sniff(head: bytes) -> str:
    """image, audio, text or unknown, from the first bytes of a file."""
    images = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"P5\n", b"P6\n")
    sounds = (b"fLaC", b"OggS", b"ID3", b"FORM", b".snd")
    if head[:4] == b"RIFF":
        return {b"WEBP": "image", b"WAVE": "audio"}.get(head[8:12], "unknown")
    if head.startswith(images) or (head[:2] == b"BM" and head[6:10] == bytes(4)):
        return "image"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # the marks of UTF-16
        return "text"
    if head.startswith(sounds):
        return "audio"
    odd = sum(byte < 9 or 13 < byte < 27 for byte in head)
    return "text" if head and b"\0" not in head and odd <= len(head) // 50 else "unknown"
