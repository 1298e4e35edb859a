"""Painters of what stands along a drawn street: sky, ground, houses, walls, fences, trees, poles and what they carry.

Distances are centimetres; `x` below 0 is the left side of the street. Things are called by their Cityscapes labelId.
"""

from __future__ import annotations

from roadworthy.data.canvas import Canvas, Colour, Dice, Paint

STATIC = 4
ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE, LIGHT, SIGN, PLANT, TERRAIN, SKY = 7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23

BRICKS: list[Colour] = [(158, 84, 64), (140, 72, 58), (182, 150, 112), (170, 116, 90), (196, 180, 150), (150, 140, 134)]
STONES: list[Colour] = [(148, 140, 120), (164, 120, 96), (120, 120, 122)]
PICKETS: list[Colour] = [(206, 204, 196), (140, 100, 66), (96, 120, 110), (60, 62, 66)]
STEELS: list[Colour] = [(126, 132, 134), (92, 98, 96), (150, 150, 146)]
LEAVES: list[Colour] = [(62, 96, 34), (78, 112, 38), (52, 82, 36), (98, 118, 44)]
LAMPS: list[tuple[Colour, Colour]] = [  # lit and dark, from the lowest up
    ((70, 240, 150), (22, 66, 44)),
    ((255, 190, 40), (84, 62, 20)),
    ((250, 40, 30), (84, 24, 20)),
]


def sky(canvas: Canvas, dice: Dice) -> None:
    """Blue that pales towards the horizon, with clouds in some frames."""
    height, width = canvas.labels.shape
    blue = Paint(SKY, dice.near((84, 136, 206), 16), shade=80, blotch=5, cell=7)
    canvas.polygon([(0, 0), (width, 0), (width, height * 5 // 8), (0, height * 5 // 8)], blue)
    for _ in range(dice.pick([0, 4, 9])):
        x, y, across = dice.roll(0, width), dice.roll(0, height // 3), dice.roll(90, 300)
        white = Paint(SKY, dice.near((226, 230, 238)), shade=-24, blotch=14, cell=5)
        for puff in (-2, 2, -1, 1, 0):
            centre = x + puff * across // 3, y + dice.roll(-8, 8)
            canvas.ellipse(centre, (across // 2, across // (5 + abs(puff))), white, 12)


def ground(canvas: Canvas, dice: Dice, half: int, walk: int) -> None:
    """Grass, sidewalks with kerbs and joints, the road of twice `half` with its markings; skyline at the far end."""
    ends = (200, 12000)
    for x in range(-4000, 4000, 500):
        house, tree = Paint(BUILDING, dice.near(dice.pick(BRICKS)), 10), Paint(PLANT, dice.near(dice.pick(LEAVES)))
        canvas.face((x, x + 500), (0, dice.roll(500, 1300)), 12000, house)
        canvas.disc(11900, (x + dice.roll(0, 500), 200), (350, dice.roll(200, 500)), tree, 40)
    canvas.floor((-20000, 20000), ends, Paint(TERRAIN, dice.near((132, 124, 58)), blotch=26, cell=3))
    stone = Paint(SIDEWALK, dice.near((172, 148, 136)), blotch=10)
    asphalt = Paint(ROAD, dice.near((98, 102, 114)), blotch=10, cell=6)
    canvas.floor((-half - walk, half + walk), ends, stone)
    for z in range(300, 4000, 150):
        canvas.floor((-half - walk, half + walk), (z, z + 5), stone.lit(-30))
    canvas.floor((-half - 18, half + 18), ends, stone.lit(26))
    canvas.floor((-half, half), ends, asphalt)
    for z in range(dice.roll(200, 600), 9000, 700):
        canvas.floor((-6, 8), (z, z + 350), asphalt.but(206, 206, 200))
    if dice.chance(40):
        z = dice.roll(900, 1800)
        for x in range(-half + 30, half - 60, 100):
            canvas.floor((x, x + 50), (z, z + 350), asphalt.but(206, 206, 200))


def building(canvas: Canvas, dice: Dice, x: int, z: tuple[int, int]) -> None:
    """A house along the street: storeys of windows, a ground floor of another shade, and its end wall."""
    plaster = Paint(BUILDING, dice.near(dice.pick(BRICKS)), dice.roll(-24, 8), 14, dice.roll(2, 4))
    sign, storeys, wide = (1 if x > 0 else -1), dice.roll(2, 5), dice.roll(100, 170)
    glass, top = plaster.but(*dice.near((62, 72, 88), 20)), 320 * storeys + 80
    canvas.box((min(x, x + sign * 1200), max(x, x + sign * 1200)), (0, top), z, plaster)
    canvas.side(x, (0, 60), z, plaster.lit(-50))
    canvas.side(x, (top - 40, top), z, plaster.lit(24))
    for floor in range(storeys):
        y = 320 * floor + 110, 320 * floor + 270
        for near in range(z[0] + 80, z[1] - wide, wide + 120):
            canvas.side(x, (y[0] - 14, y[1] + 8), (near - 12, near + wide + 12), plaster.lit(10))
            canvas.side(x, y, (near, near + wide), glass)
        for start in range(100, 1000, 300):
            left = x + sign * start - 60
            canvas.face((left, left + 120), y, z[0], glass.lit(14))


def wall(canvas: Canvas, dice: Dice, x: int, z: tuple[int, int]) -> None:
    """A man-high wall of stone courses under a pale coping, foliage looking over it."""
    foliage(canvas, dice, x + (350 if x > 0 else -350), z)
    stone = Paint(WALL, dice.near(dice.pick(STONES)), 0, 22, dice.roll(3, 5))
    height, sign = dice.roll(220, 300), (1 if x > 0 else -1)
    canvas.box((min(x, x + sign * 30), max(x, x + sign * 30)), (0, height), z, stone)
    for y in range(45, height - 30, 45):
        canvas.side(x, (y, y + 7), z, stone.lit(-62))
    canvas.side(x, (height - 24, height + 6), z, stone.lit(34))


def fence(canvas: Canvas, dice: Dice, x: int, z: tuple[int, int]) -> None:
    """Pickets between posts and rails; what shows through the gaps counts as fence."""
    foliage(canvas, dice, x + (400 if x > 0 else -400), z)
    gap = Paint(FENCE, dice.near((74, 80, 62)), 20, 26, 3)
    picket = gap.but(*dice.near(dice.pick(PICKETS)))
    height = dice.roll(150, 210)
    canvas.side(x, (0, height), z, gap)
    for near in range(z[0], z[1] - 20, 45 if z[1] < 5000 else 180):
        canvas.side(x, (0, height + 8), (near, near + 20), picket)
    for y in (30, height - 40):
        canvas.side(x, (y, y + 14), z, picket.lit(-16))


def foliage(canvas: Canvas, dice: Dice, x: int, z: tuple[int, int]) -> None:
    """A hedge and a row of tree crowns, far to near."""
    hedge = Paint(PLANT, dice.near(dice.pick(LEAVES)), -20, 34, 4)
    canvas.side(x, (0, 160), z, hedge.lit(-12))
    for near in range(z[1], z[0], -max(250, (z[1] - z[0]) // 6)):
        leaf = Paint(PLANT, dice.near(dice.pick(LEAVES)), -26, 40, dice.roll(3, 5))
        canvas.disc(near, (x, dice.roll(180, 420)), (dice.roll(150, 260), dice.roll(150, 300)), leaf, 30)
        canvas.disc(near, (x + dice.roll(-120, 120), 90), (150, 110), leaf.lit(-10), 24)


def tree(canvas: Canvas, dice: Dice, x: int, z: int) -> None:
    """A trunk under a crown of several blots of leaves."""
    leaf = Paint(PLANT, dice.near(dice.pick(LEAVES)), -22, 42, dice.roll(3, 5))
    canvas.bar(z, (x, 0), (x, 360), dice.roll(22, 36), leaf.but(92, 72, 54))
    for _ in range(6):
        radii = dice.roll(80, 140), dice.roll(70, 120)
        canvas.disc(z, (x + dice.roll(-110, 110), dice.roll(360, 560)), radii, leaf, 20)


def post(canvas: Canvas, dice: Dice, x: int, z: int) -> None:
    """A pole that carries a traffic light, a sign, both, or a street lamp."""
    steel = Paint(POLE, dice.near(dice.pick(STEELS)), 0, 6)
    canvas.bar(z, (x, 0), (x, dice.roll(520, 700)), 22, steel)
    canvas.bar(z, (x, 0), (x, 90), 32, steel.lit(-20))
    kind = dice.roll(0, 9)
    if kind < 6:
        lamps(canvas, dice, x, z)
    if kind > 3:
        plate(canvas, dice, x, z)


def lamps(canvas: Canvas, dice: Dice, x: int, z: int) -> None:
    """A traffic light: black box, pale rim, one of three lamps lit."""
    case, lit = Paint(LIGHT, dice.near((34, 36, 34), 6)), dice.roll(0, 2)
    canvas.face((x - 34, x + 34), (300, 478), z, case.but(200, 196, 170))
    canvas.face((x - 28, x + 28), (306, 472), z, case)
    for place, (bright, dark) in enumerate(LAMPS):
        canvas.disc(z, (x, 334 + 55 * place), (22, 22), case.but(*(bright if place == lit else dark)))


def plate(canvas: Canvas, dice: Dice, x: int, z: int) -> None:
    """A traffic sign: prohibition, warning, direction or priority."""
    sign, y, kind = Paint(SIGN, (200, 28, 36), 0, 4), dice.roll(210, 240), dice.roll(0, 3)
    if kind == 0:
        canvas.disc(z, (x, y), (48, 48), sign)
        canvas.disc(z, (x, y), (34, 34), sign.but(240, 238, 232))
        canvas.face((x - 20, x + 20), (y - 8, y + 8), z, sign.but(24, 24, 28))
    elif kind == 1:
        canvas.shape(z, [(x - 58, y - 45), (x + 58, y - 45), (x, y + 55)], sign)
        canvas.shape(z, [(x - 36, y - 32), (x + 36, y - 32), (x, y + 30)], sign.but(240, 238, 232))
    elif kind == 2:
        canvas.face((x - 75, x + 75), (y - 45, y + 45), z, sign.but(236, 236, 236))
        canvas.face((x - 70, x + 70), (y - 40, y + 40), z, sign.but(26, 72, 170))
        canvas.bar(z, (x - 45, y - 5), (x + 45, y + 5), 16, sign.but(236, 236, 236))
    else:
        canvas.shape(z, [(x - 56, y), (x, y - 56), (x + 56, y), (x, y + 56)], sign.but(240, 238, 232))
        canvas.shape(z, [(x - 42, y), (x, y - 42), (x + 42, y), (x, y + 42)], sign.but(250, 196, 20))


def bin_(canvas: Canvas, dice: Dice, x: int, z: int) -> None:
    """A litter bin or a box on the sidewalk: void."""
    tin = Paint(STATIC, dice.near((110, 100, 60), 40), -20)
    canvas.box((x - 30, x + 30), (0, dice.roll(70, 120)), (z, z + 60), tin)
