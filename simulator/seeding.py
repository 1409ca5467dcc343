"""Seeding: users, cars, places and past sessions. The same seed makes the same world."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple
from uuid import UUID

from . import prices, tariffs
from .departures import DEPARTURES
from .model import (
    BATTERY_READING,
    CAPABILITIES,
    START_STOP,
    Charger,
    ChargeState,
    ChargingLocation,
    JsonObject,
    Session,
    Telemetry,
    User,
    Vehicle,
)


class _Car(NamedTuple):
    brand: str
    model: str
    version: str
    battery_kwh: float
    range_km: int
    charge_kw: float


_CARS = (
    _Car("Tesla", "Model 3", "Long Range", 75.0, 560, 11.0),
    _Car("Renault", "Zoe", "R110", 52.0, 340, 7.4),
    _Car("Volkswagen", "ID.4", "Pro", 77.0, 490, 11.0),
    _Car("Polestar", "2", "Long Range", 78.0, 520, 11.0),
    _Car("BMW", "i4", "eDrive40", 80.7, 510, 11.0),
    _Car("Kia", "EV6", "RWD", 74.0, 500, 11.0),
    _Car("Hyundai", "Kona Electric", "65 kWh", 65.4, 450, 11.0),
    _Car("Audi", "Q4 e-tron", "45", 77.0, 480, 11.0),
)
_STREETS = ("Lindenlaan", "Kerkstraat", "Molenweg", "Stationsplein", "Havenkade", "Dorpsstraat")
_CITIES = (
    ("Rotterdam", "NL", 51.92, 4.48),
    ("Utrecht", "NL", 52.09, 5.12),
    ("Groningen", "NL", 53.22, 6.57),
    ("Gent", "BE", 51.05, 3.72),
    ("Köln", "DE", 50.94, 6.96),
    ("Lille", "FR", 50.63, 3.06),
)
_CHARGERS = (("Alfen", "Eve Single", 11.0), ("Zaptec", "Go", 22.0), ("Easee", "Home", 11.0))


def new_id(random: Random) -> str:
    """Return a random UUID as Jedlix writes them: dashed, lower case."""
    return str(UUID(int=random.getrandbits(128), version=4))


def whole_ms(moment: datetime) -> datetime:
    """Cut a time to milliseconds, the finest that the API reports."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def make_user(
    number: int,
    random: Random,
    now: datetime,
    country: str | None = None,
    *,
    tariff: str | None = None,
) -> User:
    """Return a user with a registered home (and, for some, a charger) but no car yet.

    `tariff` names the tariffs of the home; None chooses some by the number of the user.
    """
    city, home_country, latitude, longitude = _CITIES[(number - 1) % len(_CITIES)]
    created = whole_ms(now - timedelta(days=60, minutes=number))
    user = User(
        id=new_id(random),
        number=number,
        country=country or home_country,
        locale="EN",
        created_at=created,
    )
    home = ChargingLocation(
        id=new_id(random),
        user_id=user.id,
        latitude=round(latitude + random.uniform(-0.05, 0.05), 5),
        longitude=round(longitude + random.uniform(-0.05, 0.05), 5),
        street=random.choice(_STREETS),
        house_number=f"{random.randint(1, 240)}{random.choice(('', '', 'A', 'bis'))}",
        postal_code=f"{random.randint(1000, 9999)} {random.choice('ABCDE')}{random.choice('KLMN')}",
        city=city,
        country=user.country,
        tariff=tariffs.TARIFFS[tariff or tariffs.of_user(number)],
        created_at=created,
    )
    user.locations.append(home)
    if number % 3 == 1:
        brand, model, power_kw = random.choice(_CHARGERS)
        user.chargers.append(
            Charger(
                id=new_id(random),
                charging_location_id=home.id,
                brand=brand,
                model=model,
                power_kw=power_kw,
            )
        )
    return user


def make_vehicle(
    user: User, random: Random, now: datetime, second: float, departure_times: str
) -> Vehicle:
    """Return an unplugged car. The second user's can be neither controlled nor read (4.3)."""
    car = _CARS[(user.number - 1) % len(_CARS)] if user.number < 3 else random.choice(_CARS)
    lacks: set[str] = set()
    if user.number == 2 or (user.number > 2 and random.random() < 0.1):
        lacks.add(START_STOP)
    if user.number == 2 or (user.number > 2 and random.random() < 0.1):
        lacks.add(BATTERY_READING)
    level = 12.0 if user.number == 1 else float(random.randint(10, 60))
    reads = BATTERY_READING not in lacks
    return Vehicle(
        id=new_id(random),
        user_id=user.id,
        brand=car.brand,
        model=car.model,
        version=car.version,
        capabilities=tuple(name for name in CAPABILITIES if name not in lacks),
        battery_kwh=car.battery_kwh,
        full_range_km=car.range_km,
        charge_kw=car.charge_kw,
        created_at=whole_ms(now - timedelta(days=45)),
        settings=make_settings(departure_times, default_start=None if reads else 30),
        report=Telemetry(
            at=whole_ms(now - timedelta(hours=1)),
            state=ChargeState.DISCONNECTED,
            battery_level=int(level) if reads else None,
            range_km=int(level / 100 * car.range_km) if reads else None,
        ),
        level=level,
        level_at=second,
    )


def make_settings(departure_times: str, *, default_start: int | None) -> JsonObject:
    """Return charge settings as they are stored and sent (A3).

    Documented names: departureTimes, isSmartChargingEnabled, enableSmartChargingAt,
    desiredBatteryLevel, defaultStartBatteryLevel. Assumed: timeZone and minimumBatteryLevel (A9), the
    names of the flags for solar and bidirectional charging, and the inside of departureTimes. The last key is
    ours: a client must keep it.
    """
    return {
        "departureTimes": deepcopy(DEPARTURES[departure_times]),
        "isSmartChargingEnabled": True,
        "enableSmartChargingAt": None,
        "timeZone": "Europe/Amsterdam",
        "minimumBatteryLevel": 20,
        "desiredBatteryLevel": 80,
        "defaultStartBatteryLevel": default_start,
        "useSolarProduction": False,
        "isBidirectionalChargingEnabled": False,
        "unknownKeyOfTheSimulator": {"keep": "me"},
    }


def past_sessions(
    user: User, vehicle: Vehicle, random: Random, now: datetime, days: int
) -> Iterator[Session]:
    """Yield ended sessions of the last days, oldest first, none after the car's last telemetry."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for day in range(days, 0, -1):
        if random.random() < 0.3:
            continue
        start = midnight - timedelta(days=day) + timedelta(minutes=random.randint(960, 1260))
        end = start + timedelta(
            minutes=random.randint(240, 780), milliseconds=random.randint(0, 999)
        )
        at_home = random.random() < 0.85
        managed = at_home and START_STOP in vehicle.capabilities
        energy = round(random.uniform(4.0, 0.6 * vehicle.battery_kwh), 2)
        paid = random.uniform(0.17, 0.21) if managed else random.uniform(0.26, 0.38)
        session = Session(
            id=new_id(random),
            user_id=user.id,
            vehicle_id=vehicle.id,
            charging_location_id=user.locations[0].id if at_home else None,
            is_managed=managed,
            start=start,
            last_met=end,
            end=end,
            energy_kwh=energy,
            cost=energy * paid,
            savings=energy * (prices.AVERAGE - paid) if managed else 0.0,
        )
        if end < vehicle.report.at:
            yield session
