"""Painters of what moves in a drawn street: people on foot and on two wheels, cars, trucks, buses and trams.

Distances are centimetres; a vehicle starts at distance z and reaches away from the camera. Things are called by their
Cityscapes labelId.
"""

from __future__ import annotations

from roadworthy.data.canvas import Canvas, Colour, Dice, Paint

ROAD, PERSON, RIDER, CAR, TRUCK, BUS, TRAIN, MOTORCYCLE, BICYCLE = 7, 24, 25, 26, 27, 28, 31, 32, 33

CARS: list[Colour] = [(176, 30, 34), (34, 58, 130), (200, 200, 204), (28, 28, 32), (120, 124, 130), (212, 170, 40)]
BUSES: list[Colour] = [(214, 160, 30), (196, 44, 40), (226, 196, 90)]
CARGO: list[Colour] = [(214, 214, 214), (52, 88, 150), (60, 110, 84), (150, 150, 156)]
TRAMS: list[Colour] = [(190, 40, 46), (176, 56, 40), (48, 104, 84)]
CLOTHES: list[Colour] = [(170, 40, 50), (40, 60, 120), (36, 36, 40), (210, 200, 190), (90, 110, 60), (120, 60, 110)]
SKIN: list[Colour] = [(224, 180, 150), (190, 140, 110), (120, 80, 60)]
HAIR: list[Colour] = [(40, 30, 26), (120, 90, 50), (70, 50, 40)]
BLACK: Colour = (24, 24, 28)
GLASS: Colour = (52, 62, 76)


def person(canvas: Canvas, dice: Dice, x: int, z: int) -> None:
    """Someone on foot: shoes, legs in stride, coat, arms, head and hair."""
    tall, stride = dice.roll(158, 188), dice.roll(4, 22)
    cloth = Paint(PERSON, dice.near(dice.pick(CLOTHES)), -14, 10, 3)
    legs, hips, neck = cloth.but(*dice.near(dice.pick(CLOTHES[1:3]))), tall * 48 // 100, tall * 84 // 100
    for side in (-1, 1):
        canvas.bar(z, (x + side * stride, 0), (x + side * 8, hips + 6), 20, legs)
        canvas.bar(z, (x + side * (27 + stride // 3), hips - 4), (x + side * 22, neck - 6), 13, cloth.lit(-16))
    coat = [(-21, hips - 8), (21, hips - 8), (25, neck - 6), (14, neck), (-14, neck), (-25, neck - 6)]
    canvas.shape(z, [(x + dx, y) for dx, y in coat], cloth)
    skin = cloth.but(*dice.pick(SKIN))
    canvas.disc(z, (x, neck + 12), (12, 16), skin.but(*dice.pick(HAIR)))
    canvas.disc(z, (x + dice.roll(-3, 3), neck + 9), (9, 13), skin)


def rider(canvas: Canvas, dice: Dice, x: int, z: int, ahead: int) -> None:
    """Someone seated on a two-wheeler that goes left or right (`ahead` -1 or 1): bent leg, leaning back, helmet."""
    cloth = Paint(RIDER, dice.near(dice.pick(CLOTHES)), -14, 10, 3)
    legs = cloth.but(*dice.near(dice.pick(CLOTHES[1:3])))
    canvas.bar(z, (x + ahead * 14, 30), (x + ahead * 32, 76), 18, legs)
    canvas.bar(z, (x - ahead * 14, 92), (x + ahead * 36, 76), 22, legs)
    canvas.shape(z, [(x - ahead * 36, 86), (x + ahead * 4, 86), (x + ahead * 36, 146), (x + ahead * 2, 152)], cloth)
    canvas.bar(z, (x + ahead * 18, 140), (x + ahead * 58, 112), 14, cloth.lit(-16))
    canvas.disc(z, (x + ahead * 28, 166), (14, 17), cloth.but(*dice.pick(SKIN)))
    canvas.disc(z, (x + ahead * 25, 172), (17, 15), cloth.but(*dice.near(dice.pick(CARS))))


def bicycle(canvas: Canvas, dice: Dice, x: int, z: int) -> None:
    """A bicycle from the side, mostly ridden; what shows between the spokes counts as bicycle."""
    ahead, tube = dice.pick([-1, 1]), Paint(BICYCLE, dice.near(dice.pick(CARS), 20), 0, 6)
    for wheel in (-54, 54):
        canvas.disc(z, (x + wheel, 36), (36, 36), tube.but(*BLACK))
        canvas.disc(z, (x + wheel, 36), (29, 29), tube.but(124, 122, 118))
        canvas.disc(z, (x + wheel, 36), (6, 6), tube.but(*BLACK))
    joints = (-54, 36), (-20, 84), (40, 88), (0, 34), (54, 36), (44, 106)
    for start, end in ((0, 3), (0, 1), (1, 3), (1, 2), (3, 2), (4, 5)):
        a, b = joints[start], joints[end]
        canvas.bar(z, (x + ahead * a[0], a[1]), (x + ahead * b[0], b[1]), 9, tube)
    canvas.bar(z, (x - ahead * 38, 94), (x - ahead * 6, 94), 10, tube.but(*BLACK))
    canvas.bar(z, (x + ahead * 28, 110), (x + ahead * 54, 106), 8, tube.but(*BLACK))
    if dice.chance(80):
        rider(canvas, dice, x - ahead * 6, z, ahead)


def motorcycle(canvas: Canvas, dice: Dice, x: int, z: int) -> None:
    """A motorcycle from the side, mostly ridden: fat wheels, engine, tank, seat, fork, lamps."""
    ahead, body = dice.pick([-1, 1]), Paint(MOTORCYCLE, dice.near(dice.pick(CARS), 20), -20, 8)
    for wheel in (-70, 70):
        canvas.disc(z, (x + wheel, 34), (35, 34), body.but(*BLACK))
        canvas.disc(z, (x + wheel, 34), (17, 17), body.but(150, 152, 156))
    canvas.face((x - 42, x + 40), (20, 62), z, body.but(66, 66, 70))
    canvas.bar(z, (x - ahead * 90, 26), (x + ahead * 10, 24), 12, body.but(190, 190, 194))
    canvas.bar(z, (x + ahead * 70, 34), (x + ahead * 46, 104), 13, body.but(150, 152, 156))
    shell = [(-92, 78), (-40, 52), (50, 58), (62, 92), (-84, 90)]
    canvas.shape(z, [(x + ahead * dx, y) for dx, y in shell], body)
    canvas.bar(z, (x - ahead * 70, 90), (x, 88), 14, body.but(*BLACK))
    canvas.disc(z, (x + ahead * 64, 92), (12, 13), body.but(250, 240, 190))
    canvas.disc(z, (x - ahead * 92, 82), (7, 8), body.but(220, 20, 20))
    if dice.chance(80):
        rider(canvas, dice, x - ahead * 8, z, ahead)


def wheels(canvas: Canvas, x: tuple[int, int], z: tuple[int, int], radius: int, paint: Paint) -> None:
    """Shadow on the road, tyres seen from the end and two wheels (octagons with hubs) on the side in view."""
    canvas.floor((x[0] - 12, x[1] + 12), (z[0] - 25, z[1] + 25), Paint(ROAD, (50, 52, 58)))
    visible = x[0] if x[0] + x[1] > 2 * canvas.offset else x[1]
    for centre in (z[1] - 2 * radius, z[0] + 2 * radius):
        for size, colour in ((radius, BLACK), (radius // 2, (140, 140, 144))):
            ring = [(10, 4), (4, 10), (-4, 10), (-10, 4), (-10, -4), (-4, -10), (4, -10), (10, -4)]
            points = [(visible, radius + up * size // 10, centre + along * size // 10) for along, up in ring]
            canvas.surface(points, paint.but(*colour))
    for left in (x[0] + 6, x[1] - 32):
        canvas.face((left, left + 26), (0, radius), z[0] + 4, paint.but(*BLACK))


def ends(canvas: Canvas, x: tuple[int, int], y: int, z: int, paint: Paint) -> None:
    """Lamps and number plate: red at the rear of what drives ahead, white at the front of what comes."""
    lamp = (226, 24, 20) if x[0] + x[1] > 0 else (250, 244, 214)
    for left in (x[0] + 6, x[1] - 34):
        canvas.face((left, left + 28), (y, y + 18), z, paint.but(*lamp))
    middle = (x[0] + x[1]) // 2
    canvas.face((middle - 26, middle + 26), (y - 16, y - 4), z, paint.but(236, 236, 220))


def car(canvas: Canvas, dice: Dice, x: int, z: int) -> None:
    """A body on four wheels with a narrower glazed cabin."""
    body, long = Paint(CAR, dice.near(dice.pick(CARS)), -26, 6), dice.roll(400, 460)
    wide = x - 90, x + 90
    wheels(canvas, wide, (z, z + long), 32, body)
    visible = canvas.box(wide, (24, 88), (z, z + long), body)
    inner = visible + (14 if visible == wide[0] else -14)
    skirt = [(inner, 146, z + 100), (inner, 146, z + long - 170), (visible, 88, z + long - 100), (visible, 88, z + 30)]
    canvas.surface(skirt, body.lit(-24))
    glass = [(inner, 138, z + 110), (inner, 138, z + long - 180), (visible, 94, z + long - 120), (visible, 94, z + 60)]
    canvas.surface(glass, body.but(*GLASS))
    canvas.shape(z + 60, [(x - 84, 86), (x + 84, 86), (x + 66, 148), (x - 66, 148)], body)
    canvas.shape(z + 56, [(x - 74, 92), (x + 74, 92), (x + 58, 140), (x - 58, 140)], body.but(*GLASS).lit(10))
    canvas.face((x - 88, x + 88), (24, 38), z, body.but(*BLACK))
    ends(canvas, wide, 62, z, body)


def truck(canvas: Canvas, dice: Dice, x: int, z: int) -> None:
    """A cargo box seen from behind, or, coming the other way, a cab with windscreen in front of it."""
    cargo, cab = Paint(TRUCK, dice.near(dice.pick(CARGO)), -14, 6), Paint(TRUCK, dice.near(dice.pick(CARS)), -20, 6)
    wide, coming = (x - 125, x + 125), x < 0
    wheels(canvas, wide, (z, z + 750), 52, cab)
    canvas.box((x - 110, x + 110), (50, 110), (z, z + 750), cab.but(*BLACK))
    canvas.box(wide, (105, 370), (z + (190 if coming else 0), z + 750), cargo)
    if coming:
        canvas.box((x - 118, x + 118), (45, 290), (z, z + 170), cab)
        canvas.face((x - 104, x + 104), (170, 260), z, cab.but(*GLASS))
        canvas.face((x - 80, x + 80), (80, 140), z, cab.but(*BLACK))
    else:
        canvas.face((x - 112, x + 112), (118, 356), z, cargo.lit(14))
        canvas.face((x - 4, x + 4), (105, 370), z, cargo.lit(-60))
        for y in (150, 310):
            canvas.face((x - 100, x + 100), (y, y + 6), z, cargo.lit(-46))
        canvas.face(wide, (60, 104), z, cab.but(*BLACK))
    ends(canvas, wide, 72, z, cab)


def bus(canvas: Canvas, dice: Dice, x: int, z: int) -> None:
    """A long box with a row of windows, a wide screen and a lit destination above it."""
    body, wide, long = Paint(BUS, dice.near(dice.pick(BUSES)), -16, 6), (x - 125, x + 125), dice.roll(900, 1200)
    wheels(canvas, wide, (z, z + long), 48, body)
    visible = canvas.box(wide, (34, 310), (z, z + long), body)
    for near in range(z + 40, z + long - 120, 150):
        canvas.side(visible, (140, 250), (near, near + 124), body.but(*GLASS))
    canvas.face((x - 112, x + 112), (130, 256), z, body.but(*GLASS).lit(8))
    canvas.face((x - 90, x + 90), (264, 300), z, body.but(*BLACK))
    canvas.face((x - 76, x + 60), (272, 292), z, body.but(255, 170, 30))
    canvas.face(wide, (34, 52), z, body.but(*BLACK))
    ends(canvas, wide, 78, z, body)


def tram(canvas: Canvas, dice: Dice, x: int, z: int) -> None:
    """Several cars on rails: two colours, one band of dark glass, a tapered front and a pantograph."""
    body = Paint(TRAIN, dice.near(dice.pick(TRAMS)), -12, 6)
    pale, wide, long = body.but(*dice.near((226, 218, 196))), (x - 130, x + 130), dice.roll(2000, 3200)
    for rail in (x - 72, x + 66):
        canvas.floor((rail, rail + 10), (250, 9000), Paint(ROAD, (150, 146, 140)))
    canvas.floor((wide[0] - 10, wide[1] + 10), (z - 30, z + long), Paint(ROAD, (50, 52, 58)))
    canvas.bar(z + 500, (x - 50, 440), (x + 40, 350), 12, body.but(70, 70, 74))
    canvas.bar(z + 500, (x - 90, 444), (x + 90, 444), 8, body.but(70, 70, 74))
    visible = canvas.box(wide, (15, 360), (z, z + long), pale)
    canvas.side(visible, (15, 120), (z, z + long), body.lit(-20))
    canvas.side(visible, (320, 360), (z, z + long), body.lit(-20))
    canvas.side(visible, (150, 280), (z, z + long), body.but(*GLASS).lit(-12))
    for near in range(z + 600, z + long, 700):
        canvas.side(visible, (15, 360), (near, near + 36), body.but(*BLACK))
    canvas.face(wide, (15, 360), z, body)
    canvas.face(wide, (120, 150), z, pale)
    canvas.shape(z, [(x - 112, 150), (x + 112, 150), (x + 88, 310), (x - 88, 310)], body.but(*GLASS))
    canvas.face((x - 60, x + 60), (322, 348), z, body.but(255, 200, 60))
    canvas.disc(z, (x - 84, 84), (20, 20), body.but(255, 250, 220))
    canvas.disc(z, (x + 84, 84), (20, 20), body.but(255, 250, 220))
