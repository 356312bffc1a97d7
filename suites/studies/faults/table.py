"""The whole table: every fault that is planted, by number."""

from suites.studies.faults import images, modules, outputs, providers
from suites.studies.faults.plants import Fault, output, pixels
from suites.studies.faults.runs import SESSIONS

CLEAN = (
    Fault(0, "clean-encoder", (), {"no fault": None}, output(lambda x, tower, s: x), must=0),
    Fault(0, "clean-preprocessor", (), {"no fault": None}, pixels(), "preprocessor", must=0),
)
EVERY = (*CLEAN, *outputs.FAULTS, *modules.FAULTS, *images.FAULTS, *providers.FAULTS)
PLANTED = tuple(sorted(EVERY, key=lambda fault: (fault.number, fault.name)))
NUMBERS = {fault.number for fault in PLANTED if fault.number} | {session.number for session in SESSIONS}
