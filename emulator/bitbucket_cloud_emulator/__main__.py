"""``python -m bitbucket_cloud_emulator``: serve the emulator until Ctrl-C."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from datetime import datetime

from bitbucket_cloud_emulator.emulator import BitbucketEmulator
from bitbucket_cloud_emulator.seeds import SEEDS


def main(arguments: list[str] | None = None) -> int:
    """Serve and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bitbucket_cloud_emulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--allow-remote", action="store_true", help="allow a --host that other machines can reach")
    parser.add_argument("--port", type=int, default=8070, help="port, 0 for a free one (default: %(default)s)")
    parser.add_argument("--seed", default="demo", choices=SEEDS, help="initial state (default: %(default)s)")
    parser.add_argument("--speed", type=float, default=1.0, help="emulated seconds a second (default: %(default)s)")
    parser.add_argument("--now", type=datetime.fromisoformat, help="emulated start, such as 2026-11-02T08:00:00+00:00")
    parser.add_argument("--pull-requests", type=int, help="how many, for --seed large")
    options = parser.parse_args(arguments)
    if options.now and not options.now.tzinfo:
        parser.error(f"--now {options.now.isoformat()} has no time zone; add +00:00")
    try:
        bitbucket = BitbucketEmulator(
            options.seed,
            host=options.host,
            port=options.port,
            speed=options.speed,
            now=options.now,
            allow_remote=options.allow_remote,
            pull_requests=options.pull_requests,
        ).start()
    except ValueError as error:
        parser.error(str(error))
    except OSError as error:
        print(
            f"Cannot listen on {options.host}:{options.port}: {os.strerror(error.errno or 0)}. Choose another --port.",
            file=sys.stderr,
        )
        return 1
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: what a shell starts in the background ignores it by default
        signal.signal(number, lambda *_: over.set())
    print(f"Bitbucket   {bitbucket.url}  (web pages; API at {bitbucket.api_url})")
    print(f"Workspace   {bitbucket.workspace}: {', '.join(one.slug for one in bitbucket.state.repositories())}")
    print("API token   demo@example.com / demo-api-token      Access token  demo-access-token")
    print(f"OAuth       demo-key / demo-secret             callback {bitbucket.state.consumers['demo-key'].callback_url}")
    print("Ctrl-C stops it.", flush=True)
    over.wait()
    bitbucket.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
