"""Letters that can be read from across a gym: a 5 × 7 face, scaled, in half blocks.

A pixel is one column wide and half a row high, nearly a square. `letter` gives the rows of a
word; `width_of` and `height_of` tell beforehand what a scale needs.
"""

from __future__ import annotations

PIXELS_WIDE = 5
PIXELS_HIGH = 7
GAP = 1  # pixels between letters

_CHARACTERS = ("0123456789", "ABCDEFGHIJ", "KLMNOPQRST", "UVWXYZ?!%-")
_FACES = (
    """
 ###    #    ###  #####    #  #####   ##  #####  ###   ###
#   #  ##   #   #    #    ##  #      #        # #   # #   #
#   #   #       #   #    # #  ####  #        #  #   # #   #
#   #   #      #     #  #  #      # ####    #    ###   ####
#   #   #     #       # #####     # #   #  #    #   #     #
#   #   #    #    #   #    #  #   # #   #  #    #   #    #
 ###   ###  #####  ###     #   ###   ###   #     ###   ##  """,
    """
 ###  ####   ###  ####  ##### #####  ###  #   #  ###      #
#   # #   # #   # #   # #     #     #   # #   #   #       #
#   # #   # #     #   # #     #     #     #   #   #       #
##### ####  #     #   # ####  ####  # ### #####   #       #
#   # #   # #     #   # #     #     #   # #   #   #       #
#   # #   # #   # #   # #     #     #   # #   #   #   #   #
#   # ####   ###  ####  ##### #      ###  #   #  ###   ### """,
    """
#   # #     #   # #   #  ###  ####   ###  ####   #### #####
#  #  #     ## ## ##  # #   # #   # #   # #   # #       #
# #   #     # # # # # # #   # #   # #   # #   # #       #
##    #     # # # #  ## #   # ####  #   # ####   ###    #
# #   #     #   # #   # #   # #     # # # # #       #   #
#  #  #     #   # #   # #   # #     #  #  #  #      #   #
#   # ##### #   # #   #  ###  #      ## # #   # ####    #  """,
    """
#   # #   # #   # #   # #   # #####  ###    #   ##
#   # #   # #   # #   # #   #     # #   #   #   ##  #
#   # #   # #   #  # #  #   #    #      #   #      #
#   # #   # # # #   #    ###    #      #    #     #   #####
#   # #   # # # #  # #    #    #      #     #    #
#   #  # #  ## ## #   #   #   #                 #  ##
 ###    #   #   # #   #   #   #####   #     #      ##      """,
)


def _glyphs() -> dict[str, tuple[str, ...]]:
    step = PIXELS_WIDE + GAP
    glyphs = {" ": (" " * PIXELS_WIDE,) * PIXELS_HIGH}
    for characters, face in zip(_CHARACTERS, _FACES, strict=True):
        rows = [row.ljust(step * len(characters)) for row in face.split("\n")[1:]]
        for place, character in enumerate(characters):
            left = place * step
            glyphs[character] = tuple(row[left : left + PIXELS_WIDE] for row in rows)
    return glyphs


_GLYPHS = _glyphs()


def width_of(text: str, scale: int) -> int:
    """Columns that the text takes."""
    return scale * (len(text) * (PIXELS_WIDE + GAP) - GAP) if text else 0


def height_of(scale: int) -> int:
    """Rows that a line of letters takes."""
    return (scale * PIXELS_HIGH + 1) // 2


def largest_scale(text: str, width: int, height: int) -> int:
    """Give the largest scale at which the text fits, 0 where none does."""
    scale = 0
    while width_of(text, scale + 1) <= width and height_of(scale + 1) <= height:
        scale += 1
    return scale


def letter(text: str, scale: int, *, ascii_only: bool = False) -> list[str]:
    """Draw the text; each row is `width_of(text, scale)` wide. Unknown letters are blank."""
    pixels = [
        "".join(
            bit * scale
            for bit in (" " * GAP).join(
                _GLYPHS.get(character, _GLYPHS[" "])[row] for character in text.upper()
            )
        )
        for row in range(PIXELS_HIGH)
        for _ in range(scale)
    ]
    if len(pixels) % 2:
        pixels.append(" " * len(pixels[0]))
    blocks = _ASCII_BLOCKS if ascii_only else _HALF_BLOCKS
    return [
        "".join(blocks[upper, lower] for upper, lower in zip(above, below, strict=True))
        for above, below in zip(pixels[::2], pixels[1::2], strict=True)
    ]


_HALF_BLOCKS = {(" ", " "): " ", ("#", " "): "▀", (" ", "#"): "▄", ("#", "#"): "█"}
_ASCII_BLOCKS = {(" ", " "): " ", ("#", " "): '"', (" ", "#"): "_", ("#", "#"): "#"}
