"""What the distance field of a letter is; the numbers are those of Murphy (SIGBOVIK 2021)."""

FIELD_PX = 36  # Width and height of a field.
EDGE, FALLOFF = 220 / 255, 15 / 255  # The value on the edge, and its slope in 1/px, inwards.
