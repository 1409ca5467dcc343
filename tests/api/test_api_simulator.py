"""Every method of the client once, against the whole simulator: as it should be, and as it may be."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from custom_components.jedlix.api import (
    ChargeStatus,
    Conflict,
    JedlixClient,
    NotFound,
    Rejected,
    Session,
    Vehicle,
)
from custom_components.jedlix.api.endpoints import ENDPOINTS, Evidence
from simulator.app import Simulator
from simulator.messages import EVENT_TYPE
from tests.api.stand_in import Cloud, make_client

type Start = Callable[..., Awaitable[Simulator]]
