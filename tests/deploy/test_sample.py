"""The sample parties of compose.yaml are invited by a script, against a real operator port."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from structlog.testing import capture_logs

from connectors.authorization import digest
from tests.deploy.reading import DEPLOY
from tests.hub.operator.operating import KEY, operating


async def test_the_parties_are_invited_anew_each_time(tmp_path: Path) -> None:
    with capture_logs():
        async with operating() as made:
            environment = {
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "HUB_DATA": str(tmp_path),
                "HUB_OPERATOR_URL": made.base,
                "HUB_OPERATOR_KEY": KEY,
            }
            tokens = []
            for _ in range(2):
                process = await asyncio.create_subprocess_exec(
                    "sh", str(DEPLOY / "sample" / "invite.sh"), env=environment, stdout=asyncio.subprocess.PIPE
                )
                printed, _ = await process.communicate()
                assert process.returncode == 0
                assert printed.decode().split("\n") == ["CPO NL-TNM is invited", "EMSP DE-EMS is invited", ""]
                tokens.append([(tmp_path / f"{word}.token").read_text().strip() for word in ("cpo", "emsp")])
            found = [[await made.hub.registry.lookup(digest(token)) for token in twice] for twice in tokens]
    before, now = found
    assert [str(one[0].invited[0][0]) for one in now if one] == ["NL-TNM", "DE-EMS"]
    assert not any(one for one in before if one and not one[0].removed)
    assert (tmp_path / "cpo.token").stat().st_mode & 0o077 == 0
