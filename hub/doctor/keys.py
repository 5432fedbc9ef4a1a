"""The keys of what is stored: are they here, and are they those of this store's data? None is made."""

from __future__ import annotations

from hub import keys as hub_keys
from hub.doctor.finding import Finding, right, unknown, wrong
from hub.keys import Keys, KeysError
from hub.settings import Settings

KEYS = "keys"


def keys(settings: Settings, sentinels: bytes | None) -> Finding:
    """`sentinels` are those that the store keeps, None where it could not be asked."""
    file = settings.data_folder / hub_keys.FILE
    try:
        if settings.keys is not None:
            ring, where = Keys.parse(settings.keys.get_secret_value()), "HUB_KEYS"
        elif file.exists():
            ring, where = Keys.load_or_make(settings.data_folder), str(file)
        elif sentinels:
            said = f"the store has data, and there is neither HUB_KEYS nor {file}"
            return wrong(KEYS, said, "set HUB_KEYS to the keys that it was written with, or restore that file")
        elif sentinels is None:
            return unknown(KEYS, f"there is neither HUB_KEYS nor {file}, and the store was not reached")
        else:
            return right(KEYS, f"{file} will be made at the first start")
    except KeysError as error:
        return wrong(KEYS, str(error), "mend it: a hub does not start with it")
    if sentinels is None:
        return unknown(KEYS, f"{where} can be read; whether they are this store's was not asked, it was not reached")
    try:
        hub_keys.verify(ring, sentinels)
    except KeysError as error:
        return wrong(KEYS, f"{where}: {error}", "put the missing key behind the first one, or name the store it is of")
    return right(KEYS, f"{where} has the keys of this store")
