"""Classes that several modules of OCPI 2.2.1 share (8.4 and 16)."""

from __future__ import annotations

from connectors.v2_2_1.models import enums
from connectors.v2_2_1.models.types import URL, CiString4, Int5, Object, String2, String64, String100, String512


class DisplayText(Object):
    """16.3 DisplayText: plain text in one language."""

    language: String2
    text: String512


class Price(Object):
    """16.5 Price: an amount without and with VAT, in the currency of the object around it."""

    excl_vat: float
    incl_vat: float | None = None


class Image(Object):
    """8.4.15 Image: a picture by its URL; width and height in pixels."""

    url: URL
    thumbnail: URL | None = None
    category: enums.ImageCategory
    type: CiString4
    width: Int5 | None = None
    height: Int5 | None = None


class BusinessDetails(Object):
    """8.4.2 BusinessDetails: the name, website and logo of an operator or owner."""

    name: String100
    website: URL | None = None
    logo: Image | None = None


class EnergySource(Object):
    """8.4.7 EnergySource: a share of the energy mix in percent."""

    source: enums.EnergySourceCategory
    percentage: float


class EnvironmentalImpact(Object):
    """8.4.9 EnvironmentalImpact: grams per kWh."""

    category: enums.EnvironmentalImpactCategory
    amount: float


class EnergyMix(Object):
    """8.4.6 EnergyMix."""

    is_green_energy: bool
    energy_sources: list[EnergySource] | None = None
    environ_impact: list[EnvironmentalImpact] | None = None
    supplier_name: String64 | None = None
    energy_product_name: String64 | None = None
