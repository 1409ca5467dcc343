"""Prices of the simulated day: what a kWh costs at which hour. Invented, the same every day."""

CURRENCY = "EUR"
CHEAP_BELOW = 0.25
PRICES = (
    *(0.19, 0.18, 0.17, 0.17, 0.18, 0.20, 0.26, 0.31, 0.34, 0.33, 0.29, 0.26),
    *(0.21, 0.20, 0.21, 0.26, 0.30, 0.36, 0.39, 0.38, 0.35, 0.31, 0.28, 0.26),
)
AVERAGE = sum(PRICES) / len(PRICES)
HOUR = 3600.0
DAY = 24 * HOUR


def price(second: float) -> float:
    """Price per kWh at a second of simulated time that began at midnight."""
    return PRICES[int(second // HOUR) % 24]


def is_cheap(second: float) -> bool:
    """Whether smart charging charges at this moment."""
    return price(second) < CHEAP_BELOW


def next_hour(second: float) -> float:
    """Second at which the next price hour begins."""
    return (second // HOUR + 1) * HOUR
