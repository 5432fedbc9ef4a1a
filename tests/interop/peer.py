"""A CPO or an eMSP made of extrawest-ocpi, in an environment of its own: it knows nothing of the hub's code.

    python peer.py PORT ROLE COUNTRY PARTY        the token of its invitation on standard input

OCPI under /ocpi; beside it, for the test: `GET /received/{module}`, `POST /own/{module}`, `POST /push/{module}/{id}`.
"""

import json
import os
import secrets
import sys

PORT, ROLE, COUNTRY, PARTY = sys.argv[1:]
HOST = f"127.0.0.1:{PORT}"
os.environ |= {
    "OCPI_HOST": HOST,
    "PROTOCOL": "http",
    "COUNTRY_CODE": COUNTRY,
    "PARTY_ID": PARTY,
    "ENVIRONMENT": "testing",
}

import uvicorn  # noqa: E402
from fastapi import Request  # noqa: E402
from fastapi.responses import JSONResponse  # noqa: E402
from py_ocpi import get_application  # noqa: E402
from py_ocpi.core.adapter import BaseAdapter  # noqa: E402
from py_ocpi.core.authentication.authenticator import Authenticator  # noqa: E402
from py_ocpi.core.crud import Crud  # noqa: E402
from py_ocpi.core.enums import Action, ModuleID, RoleEnum  # noqa: E402
from py_ocpi.core.push import push_object  # noqa: E402
from py_ocpi.core.schemas import Push  # noqa: E402
from py_ocpi.modules.versions.enums import VersionNumber  # noqa: E402

TOKEN_A = sys.stdin.readline().strip()
tokens_c: list[str] = []
hub: dict = {}
own: dict[str, dict[str, dict]] = {}
received: dict[str, dict[str, dict]] = {}


def key_of(data: dict) -> str:
    return str(data.get("uid") or data.get("id")).lower()


class Mine(Authenticator):
    @classmethod
    async def get_valid_token_c(cls) -> list[str]:
        return tokens_c

    @classmethod
    async def get_valid_token_a(cls) -> list[str]:
        return [TOKEN_A]


class Kept(Crud):
    @classmethod
    async def get(cls, module, role, id, *args, **kwargs):
        for kept in (own, received):
            if found := kept.get(module.value, {}).get(str(id).lower()):
                return found
        return None

    @classmethod
    async def list(cls, module, role, filters, *args, **kwargs):
        found = list(own.get(module.value, {}).values())
        page = found[filters["offset"] :][: filters["limit"]]
        return page, len(found), filters["offset"] + filters["limit"] >= len(found)

    @classmethod
    async def create(cls, module, role, data, *args, **kwargs):
        if module == ModuleID.credentials_and_registration:
            hub.update(data)
            token = secrets.token_urlsafe(24)
            tokens_c[:] = [token]
            return {
                "token": token,
                "url": f"http://{HOST}/ocpi/versions",
                "roles": [
                    {
                        "role": ROLE,
                        "country_code": COUNTRY,
                        "party_id": PARTY,
                        "business_details": {"name": "Another's"},
                    }
                ],
            }
        received.setdefault(module.value, {})[key_of(data)] = data
        return data

    @classmethod
    async def update(cls, module, role, data, id, *args, **kwargs):
        return await cls.create(module, role, data)

    @classmethod
    async def delete(cls, module, role, id, *args, **kwargs):
        received.get(module.value, {}).pop(str(id).lower(), None)

    @classmethod
    async def do(cls, module, role, action, *args, data=None, **kwargs):
        if action == Action.authorize_token:
            return {"allowed": "ALLOWED", "token": own["tokens"][data["token_uid"].lower()]}
        return None


app = get_application(
    version_numbers=[VersionNumber.v_2_2_1],
    roles=[RoleEnum(ROLE)],
    crud=Kept,
    modules=list(ModuleID),
    authenticator=Mine,
    adapter=BaseAdapter,
)


@app.get("/received/{module}")
async def tell(module: str):
    return JSONResponse(json.loads(json.dumps(received.get(module, {}), default=str)))


@app.post("/own/{module}")
async def take(module: str, request: Request):
    data = await request.json()
    own.setdefault(module, {})[key_of(data)] = data
    return {}


@app.post("/push/{module}/{id}")
async def push(module: str, id: str):
    url = hub["credentials"]["url"].rsplit("/", 1)[0] + "/2.2.1"
    receiver = {"endpoints_url": url, "auth_token": hub["credentials"]["token"]}
    wanted = Push(module_id=module, object_id=id, receivers=[receiver])
    done = await push_object(VersionNumber.v_2_2_1, wanted, Kept, BaseAdapter, None)
    (answer,) = done.receiver_responses
    return {"http": answer.status_code, "answer": answer.response}


uvicorn.run(app, host="127.0.0.1", port=int(PORT), log_level="warning")
