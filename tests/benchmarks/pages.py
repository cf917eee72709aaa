"""How the whole product feels on one machine: starting, answering, and the way from a payment to a letter.

`python -m tests.benchmarks.pages [--seconds 30] [--orders 100000]` starts the product as `make up` does, twice, on a
folder of its own, buys something, asks for pages at 20 requests a second, first with that one order and then with so
many, and writes docs/benchmarks-product.md.
"""

import argparse
import asyncio
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import httpx2
import psutil

from infra.local.embedded import free_port
from infra.local.folder import DataFolder
from infra.local.people import EDITOR
from infra.local.postgres import Postgres
from infra.local.tour import Tour
from infra.local.visitor import Browser
from tests.benchmarks.years_of_orders import copy

RATE = 20
#: Editors are few, and each of their pages asks for more.
DESK_RATE = 2
DESK = "admin: "
OUT = Path(__file__).parents[2] / "docs" / "benchmarks-product.md"
ARTICLE = "second-pour/dialing-in-a-pour-over"
PAGES = {
    "catalogue": "/",
    "search": "/?q=coffee&sort=cheapest",
    "article for sale": f"/catalogue/{ARTICLE}",
    "order form": f"/catalogue/{ARTICLE}/order",
    "published article": f"/articles/{ARTICLE}",
    "account": "/account",
}


@contextmanager
def product(folder: Path, port: int) -> Iterator[tuple[float, subprocess.Popen[bytes]]]:
    """The product, running; and how many seconds passed until it was ready to sell."""
    began = time.monotonic()
    environment = os.environ | {"GALLEY_DATA": str(folder), "PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.local"], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        while not _answers(port):
            if process.poll() is not None or time.monotonic() - began > 120:
                raise RuntimeError("the product did not start")
            time.sleep(0.05)
        yield time.monotonic() - began, process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def _answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health/ready", timeout=1).is_success
    except httpx2.HTTPError:
        return False


def memory(runner: int) -> dict[str, int]:
    """Resident megabytes of each process of the product."""
    found: dict[str, int] = {}
    for child in psutil.Process(runner).children():
        command = " ".join(child.cmdline())
        for name in ("infra.sandbox", "tasks.worker", "tasks.dispatcher", "-m web"):
            if name in command:
                found[name.removeprefix("-m ")] = child.memory_info().rss // 1_000_000
    return found


async def buy(url: str, customer: Browser) -> tuple[str, float]:
    """Buy a placement as `make demo` does: the order's path, and the seconds from the payment to the letter."""
    tour = Tour(url)
    order = await tour._buy(customer, await tour._choose(customer))
    assert tour.ready_after is not None
    return order, tour.ready_after


async def ask(
    client: httpx2.AsyncClient, pages: dict[str, str], seconds: float, rate: float = RATE
) -> dict[str, list[float]]:
    """Ask for the pages in turn at a fixed rate, whether the last one has answered or not. Milliseconds by page."""
    took: dict[str, list[float]] = {name: [] for name in pages}

    async def one(name: str, path: str) -> None:
        began = time.perf_counter()
        answer = await client.get(path)
        took[name].append((time.perf_counter() - began) * 1000)
        answer.raise_for_status()

    names = list(pages)
    tasks, began = [], time.monotonic()
    for number in range(int(seconds * rate)):
        await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
        name = names[number % len(names)]
        tasks.append(asyncio.create_task(one(name, pages[name])))
    await asyncio.gather(*tasks)
    return took


def percentile(values: list[float], part: float) -> float:
    """The value below which `part` of them lie."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def table(
    starts: tuple[float, float],
    weights: dict[str, int],
    took: dict[int, dict[str, list[float]]],
    ready: float,
) -> str:
    """The page that is written. `took` has milliseconds by the number of orders, and then by page."""
    lines = [
        "# The product on one machine",
        "",
        f"Written by `python -m tests.benchmarks.pages` on {os.cpu_count()} cores ({platform.machine()},",
        f"Python {platform.python_version()}), with the embedded PostgreSQL and Redis and the basic writer.",
        "",
        f"- ready to sell {starts[0]:.1f} s after the first start (empty folder), {starts[1]:.1f} s after the second",
        f"- from the payment to the letter that the text is ready: {ready:.2f} s",
    ]
    for orders, pages in took.items():
        everything = [one for name, times in pages.items() if not name.startswith(DESK) for one in times]
        lines += [
            "",
            (
                f"Customers' pages at {RATE} requests a second, {orders:,} {'order' if orders == 1 else 'orders'} in the"
                f" database: p50 {statistics.median(everything):.0f} ms, p95 {percentile(everything, 0.95):.0f} ms."
                f" Editors' pages were asked for afterwards, {DESK_RATE} a second."
            ),
            "",
            "| page | p50, ms | p95, ms |",
            "|---|---|---|",
            *(
                f"| {name} | {statistics.median(times):.0f} | {percentile(times, 0.95):.0f} |"
                for name, times in pages.items()
            ),
        ]
    lines += [
        "",
        "| process, idle after a purchase | resident, MB |",
        "|---|---|",
        *(f"| {name} | {weight} |" for name, weight in sorted(weights.items())),
        "",
    ]
    return "\n".join(lines)


async def measure(
    url: str, database: str, seconds: float, orders: int
) -> tuple[dict[int, dict[str, list[float]]], float]:
    """Buy something, then ask for pages, the new order's among them; and again when there are `orders`."""
    async with Browser(url) as customer, Browser(url) as editor:
        order, ready = await buy(url, customer)
        await editor.submit((await editor.open("/sign-in")).form("sign-in"), email=EDITOR)
        await Tour(url)._sign_in(editor, EDITOR)
        pages = PAGES | {"your orders": "/orders", "an order": order}
        desk = {
            "overview": "/admin",
            "orders": "/admin/orders",
            "search": "/admin/search?q=example",
            "queue": "/admin/review",
        }
        took = {}
        for count in (1, orders):
            if count > 1:
                await copy(database, UUID(order.rsplit("/", 1)[1]), count - 1)
            await ask(customer.client, pages, 3)
            found = await ask(customer.client, pages, seconds)
            desks = await ask(editor.client, desk, seconds, rate=DESK_RATE)
            took[count] = found | {f"{DESK}{name}": times for name, times in desks.items()}
        return took, ready


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--orders", type=int, default=100_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="galley-product-"))
    folder.chmod(0o755)
    port = free_port()
    try:
        with product(folder / "data", port) as (first, _):
            pass
        with product(folder / "data", port) as (second, process):
            took, ready = asyncio.run(
                measure(
                    f"http://localhost:{port}",
                    Postgres(DataFolder(folder / "data")).url,
                    options.seconds,
                    options.orders,
                )
            )
            weights = memory(process.pid)
        page = table((first, second), weights, took, ready)
        OUT.parent.mkdir(exist_ok=True)
        OUT.write_text(page)
        print(page)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
