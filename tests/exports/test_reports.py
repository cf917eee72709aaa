"""Reports from the wish to the download, for whom they are and no longer than they are kept."""

import csv
import io
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET
from zipfile import ZipFile

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer
from sqlalchemy import func, select, text, update

from models.accounts.audit import history_of
from models.accounts.leaving import leave
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.clock import now
from models.base.errors import Invalid, NotFound
from models.base.settings.working import FileSettings
from models.everything import DATA_SETS
from models.exports.jobs import ForgetReports, Report
from models.exports.tables import Export
from models.files.storage import storage_of
from models.jobs import enqueue
from models.jobs.dead import retry
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from models.notices.tables import Notice
from tasks import reports
from tasks.reports.cells import columns_of
from tasks.reports.sheets import sheet
from tests.jobs_api.programs import Bureau
from tests.payments.papers import text_of

ROWS = [
    ("=1+1 & <b>", 3, True, None, datetime(2026, 3, 2, 9, 30, tzinfo=UTC), Decimal("12.5")),
    ("Zoë\x07", -1, False, "", None, Decimal(0)),
]
COLUMNS = ("text", "number", "truth", "nothing", "moment", "amount")


async def test_an_editor_asks_for_a_report_is_told_and_downloads_it_until_it_is_forgotten(bureau: Bureau):
    editor, ada = await bureau.program("ed@example.com", Role.EDITOR), await bureau.program("ada@example.com")
    job_id = await editor.ask("report", dataSet="jobs", format="csv")
    await bureau.work()

    job = await editor.get(f"/jobs/{job_id}")
    assert (job["status"], job["result"]["rows"]) == ("completed", 1)
    path = job["result"]["url"].removeprefix(bureau.site.settings.app.public_url)
    answer = await editor.client.get(path)
    assert answer.headers["content-disposition"].startswith('attachment; filename="jobs-20')
    assert len(answer.content) == job["result"]["bytes"]
    (row,) = csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert (row["kind"], row["state"], row["jobs"]) == ("exports.report", "active", "1")
    async with bureau.world.database.transaction() as session:
        assert (await session.scalars(select(Notice.link))).one() == "/reports"
    assert (await ada.client.get(path)).status_code == 404
    async with bureau.world.database.transaction() as session:
        written = await history_of(session, f"report/{job_id}")
    assert [(one.action, one.actor_id, one.detail["data_set"]) for one in written] == [
        ("report.downloaded", editor.person.id, "jobs"),
        ("report.made", editor.person.id, "jobs"),
    ]

    # Gone before its time: said, in the answer's own form.
    await storage_of(bureau.world.settings.files).delete(f"reports/{job_id}.csv")
    gone = await editor.client.get(path)
    assert (gone.status_code, "not kept any more" in gone.json()["detail"]) == (404, True)

    files = bureau.world.settings.files
    for name, age in (
        ("of a job that was stopped", timedelta(days=files.keep_days + 31)),
        ("fresh", timedelta(days=30)),
    ):
        left = files.folder / "reports" / f"{name}.csv"
        left.write_text("")
        os.utime(left, times=((now() - age).timestamp(),) * 2)
    async with bureau.world.database.transaction() as session:
        await session.execute(update(Export).values(expires_at=text("now()")))
        await enqueue(session, ForgetReports())
    await bureau.work()
    left_now = {one.name for one in (files.folder / "reports").iterdir()}
    assert left_now & {f"{job_id}.csv", "of a job that was stopped.csv", "fresh.csv"} == {"fresh.csv"}
    assert (await editor.client.get(path)).status_code == 404
    async with bureau.world.database.transaction() as session:
        assert (await session.scalars(select(Export))).all() == []
    with pytest.raises(NotFound):
        await storage_of(bureau.world.settings.files).read(f"reports/{job_id}.csv")


async def test_a_person_asks_for_a_report_by_the_form_and_nobody_else_sees_it_even_while_it_is_made(
    bureau: Bureau,
):
    ada, eve = bureau.site.browser(), bureau.site.browser()
    await bureau.site.sign_in(ada, "ada@example.com")
    await bureau.site.sign_in(eve, "eve@example.com")
    screen = await ada.open((await ada.open("/reports")).link("New report"))
    assert "revenue" not in screen.html
    fields = screen.form("asking").fields | {"data_set": "revenue", "format": "csv"}
    assert (await ada.send("/reports/new", "post", fields)).status == 422
    screen = await ada.submit(screen.form("asking"), data_set="my-orders", format="csv")
    assert "is being made" in screen.text
    async with bureau.world.database.transaction() as session:
        job_id = (await session.scalars(select(JobRow.id))).one()
        await session.execute(update(JobRow).values(state="active", words="12 rows written"))
    assert "12 rows written" in (await ada.open("/reports")).text
    assert "is being made" not in (await eve.open("/reports")).text
    for path in (f"/reports/{job_id}", f"/api/reports/{job_id}", f"/api/jobs/{job_id}"):
        assert (await eve.open(path)).status == 404, path
    async with bureau.world.database.transaction() as session:
        await session.execute(update(JobRow).values(state="waiting"))
    await bureau.work()
    screen = await ada.open("/reports")
    assert "is being made" not in screen.text
    assert screen.link("Download") == f"/reports/{job_id}"
    assert "1 unread" in screen.html
    assert "unread" not in (await eve.open("/reports")).html
    assert (await eve.open(f"/reports/{job_id}")).status == 404


@pytest.mark.parametrize("name", sorted(DATA_SETS))
async def test_every_set_of_data_makes_a_report_with_its_columns(bureau: Bureau, name: str):
    admin = await bureau.program("root@example.com", Role.ADMIN)
    job_id = await admin.ask("report", dataSet=name)
    await bureau.work()
    answer = await admin.client.get(f"/api/reports/{job_id}")
    assert answer.status_code == 200
    assert answer.text.removeprefix("\ufeff").splitlines()[0] == ",".join(DATA_SETS[name].columns)


async def test_who_has_lost_the_role_gets_no_report_that_was_asked_for_before(bureau: Bureau):
    admin = await bureau.program("root@example.com", Role.ADMIN)
    job_id = await admin.ask("report", dataSet="orders")
    async with bureau.world.database.transaction() as session:
        await session.execute(text("update accounts_people set role = 'customer'"))
    await bureau.work()
    async with bureau.world.database.transaction() as session:
        job = await session.get_one(JobRow, job_id)
    assert job.state.value == "dead"
    assert (await admin.client.get(f"/api/reports/{job_id}")).status_code == 404


async def test_no_report_is_made_for_who_has_left(bureau: Bureau, monkeypatch: pytest.MonkeyPatch):
    ada, eve = await bureau.program("ada@example.com"), await bureau.program("eve@example.com")
    before = await ada.ask("report", dataSet="my-orders")
    async with bureau.world.database.transaction() as session:
        await leave(session, await session.get_one(Person, ada.person.id), now())
        assert (await session.get_one(JobRow, before)).state is JobState.CANCELLED
        await retry(session, UUID(before))
    meanwhile = await eve.ask("report", dataSet="my-orders")
    write = reports._write

    async def write_slowly(*asked: Any) -> int:
        async with bureau.world.database.transaction() as session:
            await session.execute(update(Person).where(Person.id == eve.person.id).values(erased_at=now()))
        return await write(*asked)

    monkeypatch.setattr(reports, "_write", write_slowly)
    await bureau.work()
    async with bureau.world.database.transaction() as session:
        assert (await session.get_one(JobRow, before)).error == "Whoever asked for this report has left."
        (made,) = await session.scalars(select(Export))
        assert (str(made.id), made.expires_at <= now()) == (meanwhile, True)
        assert await session.scalar(select(func.count()).select_from(Notice)) == 0
        await enqueue(session, ForgetReports())
    file = Path(bureau.world.settings.files.folder) / made.key
    assert file.exists()
    await bureau.work()
    assert not file.exists()


def test_a_csv_file_has_no_cell_that_a_spreadsheet_would_run(tmp_path: Path):
    file = tmp_path / "a.csv"
    with sheet("csv", file, "Test", COLUMNS) as add:
        add(ROWS)
    assert file.read_text("utf-8-sig").splitlines() == [
        "text,number,truth,nothing,moment,amount",
        "'=1+1 & <b>,3,yes,,2026-03-02T09:30:00Z,12.5",
        "Zoë\x07,-1,no,,,0",
    ]


def test_a_workbook_holds_the_cells_as_what_they_are(tmp_path: Path):
    file = tmp_path / "a.xlsx"
    with sheet("xlsx", file, "Jobs: by kind/state and a name that is far too long", COLUMNS) as add:
        add(ROWS)
    spaces = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with ZipFile(file) as package:
        assert package.testzip() is None
        parts = {name: ET.fromstring(package.read(name)) for name in package.namelist()}
    (name,) = (one.get("name") for one in parts["xl/workbook.xml"].iterfind(".//m:sheet", spaces))
    assert name == "Jobs  by kind state and a name "
    head, first, second = parts["xl/worksheets/sheet1.xml"].iterfind(".//m:row", spaces)
    assert [one.findtext(".//m:t", namespaces=spaces) for one in head] == [
        "Text",
        "Number",
        "Truth",
        "Nothing",
        "Moment (UTC)",
        "Amount",
    ]
    whole = parts["xl/worksheets/sheet1.xml"]
    assert [one.get("ref") for one in whole.iterfind("m:autoFilter", spaces)] == ["A1:F3"]
    widths = [float(one.get("width", 0)) for one in whole.iterfind(".//m:col", spaces)]
    assert widths[4] > widths[1] > 8
    kinds = {
        one.get("r"): (
            one.get("t"),
            one.findtext(".//m:t", namespaces=spaces) or one.findtext("m:v", namespaces=spaces),
        )
        for one in first
    }
    assert kinds == {
        "A2": ("inlineStr", "=1+1 & <b>"),
        "B2": (None, "3"),
        "C2": ("b", "1"),
        "E2": (None, "46083.39583333334"),  # 2 March 2026, 09:30, as spreadsheets count days
        "F2": (None, "12.5"),
    }
    assert second[0].findtext(".//m:t", namespaces=spaces) == "Zoë"


MONEY = ("order", "status", "is_test", "currency", "paid_cents", "jobs", "ordered")
SOLD = [("G-7", "QUALITY_CHECK", True, "usd", 1_234_500, 1200, datetime(2026, 3, 2, 9, 30, tzinfo=UTC))]


def test_a_paper_has_its_columns_above_each_page_and_ends_where_nobody_would_print_it(tmp_path: Path):
    file = tmp_path / "a.pdf"
    with sheet("pdf", file, "Sold", MONEY) as add:
        add(SOLD * 40)
        add(SOLD * 20)
    lines = text_of(file.read_bytes()).splitlines()
    titles = ["Order", "Status", "Test", "Currency", "Paid", "Jobs", "Ordered (UTC)"]
    assert [lines.count(one) for one in titles] == [2] * len(titles)
    cells = ["G-7", "Quality check", "yes", "USD", "12,345.00", "1,200", "2 Mar 2026, 09:30"]
    assert [lines.count(one) for one in cells] == [60] * len(cells), "nothing is cut"
    assert {"page 1 of ", "page 2 of ", "2"} <= set(lines)
    with pytest.raises(Invalid), sheet("pdf", file, "Sold", MONEY) as add:
        add(SOLD * 10_001)


def test_a_column_that_wants_more_than_there_is_room_for_is_cut_and_no_other(tmp_path: Path):
    file, long = tmp_path / "a.pdf", "very " * 100
    with sheet("pdf", file, "Test", ("name", "words", "number")) as add:
        add([("short", long, 7)])
        add([("short", long, 10**40)])  # longer than the first lot's: a number is never cut
    lines = text_of(file.read_bytes()).splitlines()
    assert {"short", "7", f"{10**40:,}"} <= set(lines)
    assert [one for one in lines if one.startswith("very") and one.endswith("…")]


def test_no_two_columns_have_one_title():
    names = ("paid_cents", "refunded_us_cents", "paid")
    assert [one.title for one in columns_of(names, [(1, 1, None)])] == ["Paid", "Refunded, USD", "Paid at"]


@pytest.mark.parametrize("file_format", ["pdf", "xlsx"])
def test_a_report_of_nothing_is_a_whole_file(tmp_path: Path, file_format: Any):
    file = tmp_path / "a"
    with sheet(file_format, file, "Test", MONEY):
        pass
    if file_format == "pdf":
        assert "There is nothing to report." in text_of(file.read_bytes())
    else:
        with ZipFile(file) as package:
            assert b"Paid" in package.read("xl/worksheets/sheet1.xml")


def test_money_in_a_workbook_is_a_number_with_two_decimals(tmp_path: Path):
    file = tmp_path / "a.xlsx"
    with sheet("xlsx", file, "Test", MONEY) as add:
        add(SOLD)
    with ZipFile(file) as package:
        cell = re.search(rb'<c r="E2" s="(\d+)"><v>([\d.]+)</v>', package.read("xl/worksheets/sheet1.xml"))
        assert cell is not None
        assert b"Quality check" in package.read("xl/worksheets/sheet1.xml")
        assert float(cell[2]) == 12345.0
        assert b"#,##0.00" in package.read("xl/styles.xml") or b'numFmtId="4"' in package.read(
            "xl/styles.xml"
        )


@pytest.fixture(scope="module")
def bucket() -> Iterator[FileSettings]:
    """A bucket of a server that speaks S3's protocol."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = FileSettings(s3_bucket="kept", s3_region="us-east-1", s3_endpoint_url=f"http://{host}:{port}")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "key")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        boto3.client("s3", region_name="us-east-1", endpoint_url=settings.s3_endpoint_url).create_bucket(
            Bucket="kept"
        )
        yield settings
    server.stop()


@pytest.mark.parametrize("where", ["folder", "bucket"])
async def test_a_file_is_replaced_whole_read_in_pieces_and_forgotten(
    tmp_path: Path, where: str, request: pytest.FixtureRequest
):
    settings = (
        FileSettings(folder=tmp_path / "kept") if where == "folder" else request.getfixturevalue("bucket")
    )
    storage, source = storage_of(settings), tmp_path / "source"
    for content in (b"first", b"second"):
        source.write_bytes(content)
        await storage.put("reports/one.csv", source, "text/csv")
    assert b"".join([piece async for piece in await storage.read("reports/one.csv")]) == b"second"
    await storage.delete("reports/one.csv")
    await storage.delete("reports/one.csv")
    with pytest.raises(NotFound):
        await storage.read("reports/one.csv")


class Refusing(BaseHTTPRequestHandler):
    """S3 as it answers those who may not list its bucket, and those whom it does not know."""

    def do_GET(self) -> None:
        code = "AccessDenied" if self.path.endswith("gone.csv") else "InvalidAccessKeyId"
        body = f"<Error><Code>{code}</Code></Error>".encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


async def test_a_file_that_is_gone_is_not_found_also_where_the_bucket_may_not_be_listed(bucket: FileSettings):
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        storage = storage_of(bucket.model_copy(update={"s3_endpoint_url": url}))
        with pytest.raises(NotFound, match="not kept any more"):
            await storage.read("reports/gone.csv")
        with pytest.raises(ClientError, match="InvalidAccessKeyId"):
            await storage.read("reports/one.csv")
        server.shutdown()


def test_a_report_says_its_fields_as_the_api_does():
    assert Report(data_set="jobs").args() == {"dataSet": "jobs", "format": "csv"}
