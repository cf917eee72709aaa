"""The description of the JSON interface: it names what there is, and what it says fits together."""

import re

import msgspec

from models.base.settings import Settings
from models.exports.jobs import MEDIA_TYPES
from web.app import create_app
from web.openapi import document
from web.reference import CHAPTERS

DESCRIBED = document("https://galley.example", CHAPTERS)
SCHEMAS = DESCRIBED["components"]["schemas"]


def test_every_address_is_described_and_every_description_has_an_address(settings: Settings):
    handled = {
        (re.sub(r"{\w+:uuid}", "{}", route.path), method.lower())
        for route in create_app(settings).routes
        if route.path.startswith("/api/") and not route.path.endswith(("webhook", "openapi.json"))
        for method in route.methods - {"OPTIONS"}
    }
    described = {
        (re.sub(r"{\w+}", "{}", path), method)
        for path, methods in DESCRIBED["paths"].items()
        for method in methods
    }
    assert described == handled


def test_what_is_referred_to_is_there_and_examples_fit_their_shapes():
    assert DESCRIBED["openapi"].startswith("3.1")
    for name in re.findall(r"#/components/schemas/(\w+)", str(DESCRIBED)):
        assert name in SCHEMAS
    for methods in DESCRIBED["paths"].values():
        for operation in methods.values():
            for answer in operation["responses"].values():
                for content in answer["content"].values():
                    if "$ref" in content["schema"]:
                        shape = SCHEMAS[content["schema"]["$ref"].rpartition("/")[2]]
                        assert set(shape["required"]) <= set(content["example"])
                        assert set(content["example"]) <= set(shape["properties"])


def test_what_is_sent_in_examples_is_taken():
    for chapter in CHAPTERS:
        for operation in chapter.operations:
            for sent in operation.sent.values():
                msgspec.json.decode(msgspec.json.encode(sent), type=operation.body)


def test_what_is_not_json_is_described_as_what_it_is():
    report = DESCRIBED["paths"]["/api/reports/{reportId}"]["get"]["responses"]["200"]
    assert set(report["content"]) == set(MEDIA_TYPES.values())
    events = DESCRIBED["paths"]["/api/jobs/{jobId}/events"]["get"]["parameters"]
    assert [one["name"] for one in events] == ["jobId", "Last-Event-ID"]


def test_a_job_has_the_data_of_its_type():
    kinds = {
        one["properties"]["type"]["const"]: one["properties"]["data"]["$ref"].rpartition("/")[2]
        for one in SCHEMAS["JobWanted"]["oneOf"]
    }
    assert kinds == {"email": "Email", "notification": "Notification", "report": "Report"}
