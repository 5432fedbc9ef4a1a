"""The Tariffs module of OCPI 2.2.1 (chapter 11)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from connectors.v2_2_1.models import enums
from connectors.v2_2_1.models.common import DisplayText, EnergyMix, Price
from connectors.v2_2_1.models.types import (
    URL,
    Addressed,
    CiString2,
    CiString3,
    CiString36,
    DateTime,
    Object,
    String3,
    String5,
    String10,
)


class PriceComponent(Object):
    """11.4.2 PriceComponent: price per unit without VAT, vat in percent, step_size in Wh or seconds."""

    type: enums.TariffDimensionType
    price: float
    vat: float | None = None
    step_size: int


class TariffRestrictions(Object):
    """11.4.6 TariffRestrictions: local times and dates, kWh, amperes, kW, seconds."""

    start_time: String5 | None = None
    end_time: String5 | None = None
    start_date: String10 | None = None
    end_date: String10 | None = None
    min_kwh: float | None = None
    max_kwh: float | None = None
    min_current: float | None = None
    max_current: float | None = None
    min_power: float | None = None
    max_power: float | None = None
    min_duration: int | None = None
    max_duration: int | None = None
    day_of_week: list[enums.DayOfWeek] | None = None
    reservation: enums.ReservationRestrictionType | None = None


class TariffElement(Object):
    """11.4.4 TariffElement: the first whose restrictions match counts, for each dimension."""

    price_components: Annotated[list[PriceComponent], Field(min_length=1)]
    restrictions: TariffRestrictions | None = None


class Tariff(Addressed):
    """11.3.1 Tariff."""

    country_code: CiString2
    party_id: CiString3
    id: CiString36
    currency: String3
    type: enums.TariffType | None = None
    tariff_alt_text: list[DisplayText] | None = None
    tariff_alt_url: URL | None = None
    min_price: Price | None = None
    max_price: Price | None = None
    elements: Annotated[list[TariffElement], Field(min_length=1)]
    start_date_time: DateTime | None = None
    end_date_time: DateTime | None = None
    energy_mix: EnergyMix | None = None
    last_updated: DateTime
