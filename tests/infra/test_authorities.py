"""Whom the product takes for its PostgreSQL on AWS: a server that Amazon's authorities have signed for, and no other."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from sqlalchemy.exc import DBAPIError

from infra.local.processes import ROOT
from models.base.clock import now
from models.base.db import Database

#: Where the image has them, as tasks.tf says it.
AUTHORITIES = ROOT / "infra" / "aws" / "rds.pem"


def test_the_authorities_are_in_the_image_where_the_processes_look_for_them():
    given = (ROOT / "infra" / "terraform" / "tasks.tf").read_text()
    image = (ROOT / "infra" / "image" / "Containerfile").read_text()

    assert 'PGSSLMODE                  = "verify-full"' in given
    assert 'PGSSLROOTCERT              = "/srv/galley/infra/aws/rds.pem"' in given
    assert "COPY infra/aws /srv/galley/infra/aws" in image


def test_each_authority_signs_for_itself_and_lasts():
    found = x509.load_pem_x509_certificates(AUTHORITIES.read_bytes())

    assert len(found) == 27
    for one in found:
        one.verify_directly_issued_by(one)
        assert "Amazon RDS" in one.subject.rfc4514_string()
        assert one.not_valid_after_utc > now() + timedelta(days=3650)


async def test_whoever_is_signed_for_by_another_is_not_spoken_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async with postgres_with_tls(tmp_path) as (url, spoken):
        database = Database(url, pool_size=1)
        monkeypatch.setenv("PGSSLMODE", "verify-full")
        monkeypatch.setenv("PGSSLROOTCERT", str(AUTHORITIES))
        with pytest.raises(ssl.SSLCertVerificationError, match="self-signed"):
            async with database.engine.connect():
                pass
        assert spoken == []
        monkeypatch.setenv("PGSSLROOTCERT", str(tmp_path / "server.pem"))
        with pytest.raises(DBAPIError, match="connection was closed"):
            async with database.engine.connect():
                pass
        assert b"ada" in spoken[0], "with its own authority it is told who wants to sign in"
        await database.close()


@contextlib.asynccontextmanager
async def postgres_with_tls(folder: Path) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that speaks PostgreSQL's protocol as far as TLS, and hangs up; its URL, and what it was told inside."""
    spoken: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(folder / "server.pem"))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S")
        with contextlib.suppress(OSError):
            await writer.start_tls(context)
            spoken.append(await reader.read(1024))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"postgresql://ada:secret@127.0.0.1:{port}/shop", spoken


def certificate(file: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody has signed but itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now() - timedelta(days=1))
        .not_valid_after(now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(made.public_bytes(Encoding.PEM) + secret)
    return file
