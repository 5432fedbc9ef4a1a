"""The sample parties: a CPO and an eMSP that speak OCPI 2.2.1 as real platforms do.

They are the counterparts of `make run`, of the scenario and chaos tests, and what `ocpi-hub simulate` starts. They
know OCPI by their own small means and use nothing of the hub's version modules, so that a mistake there is not
repeated here and so hidden.
"""

from connectors.fault import Fault
from connectors.sample.calls import SampleParty
from connectors.sample.client import NoAnswer, SampleAnswer
from connectors.sample.connection import Peer, RegistrationRefused
from connectors.sample.data import sample_cpo, sample_emsp
from connectors.sample.faults import Canned, Rule
from connectors.sample.platform import PortTaken, SamplePlatform
from connectors.sample.process import SampleFailed, run_cpo, run_emsp
from connectors.sample.record import Call, Received

__all__ = [
    "Call",
    "Canned",
    "Fault",
    "NoAnswer",
    "Peer",
    "PortTaken",
    "Received",
    "RegistrationRefused",
    "Rule",
    "SampleAnswer",
    "SampleFailed",
    "SampleParty",
    "SamplePlatform",
    "run_cpo",
    "run_emsp",
    "sample_cpo",
    "sample_emsp",
]
