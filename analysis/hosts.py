"""What a called host or system is when it sends no spans of its own."""

from __future__ import annotations

import ipaddress
from typing import Final

DATA_HOSTS: Final = (
    "neon.tech",
    "neon.build",
    "upstash.io",
    "turso.io",
    "psdb.cloud",
    "planetscale.com",
    "supabase.co",
    "supabase.in",
    "supabase.com",
    "mongodb.net",
    "mongodb-api.com",
    "xata.sh",
    "fauna.com",
    "fauna-db.com",
    "cockroachlabs.cloud",
    "tidbcloud.com",
    "clickhouse.cloud",
    "snowflakecomputing.com",
    "bigquery.googleapis.com",
    "firestore.googleapis.com",
    "firebaseio.com",
    "spanner.googleapis.com",
    "datastore.googleapis.com",
    "documents.azure.com",
    "database.windows.net",
    "momentohq.com",
    "cloudantnosqldb.appdomain.cloud",
    "algolia.net",
    "algolianet.com",
    "pinecone.io",
    "weaviate.network",
    "qdrant.io",
    "hasura.app",
    "convex.cloud",
    "data.mongodb-api.com",
    "redislabs.com",
    "redis-cloud.com",
    "aivencloud.com",
    "elastic-cloud.com",
    "es.io",
)
"""Domains of databases and caches spoken to over HTTP; a host is one when it is the domain or lies under it."""

AWS_DATA: Final = (
    "dynamodb",
    "rds",
    "rds-data",
    "es",
    "aoss",
    "elasticache",
    "cache",
    "kafka",
    "sqs",
    "sns",
    "kinesis",
)
"""Services of amazonaws.com that are databases, caches or brokers: `<service>.<region>.amazonaws.com`."""

SYSTEMS: Final = {
    "postgresql": "postgres",
    "pg": "postgres",
    "pgx": "postgres",
    "microsoft.sql_server": "mssql",
    "sqlserver": "mssql",
    "mongo": "mongodb",
    "elastic": "elasticsearch",
    "oracle.db": "oracle",
    "ibm.db2": "db2",
    "ibm.informix": "informix",
    "firebirdsql": "firebird",
    "aws.dynamodb": "dynamodb",
    "aws.redshift": "redshift",
    "gcp.spanner": "spanner",
    "azure.cosmosdb": "cosmosdb",
    "cosmos": "cosmosdb",
    "sap.hana": "hana",
    "cloudflare d1": "cloudflare-d1",
    "cloudflare kv": "cloudflare-kv",
    "cloudflare r2": "cloudflare-r2",
    "aws_sqs": "sqs",
    "aws.sqs": "sqs",
    "aws_sns": "sns",
    "aws.sns": "sns",
    "gcp_pubsub": "pubsub",
    "servicebus": "azure-servicebus",
    "eventhubs": "azure-eventhubs",
}
"""One name per system, where emitters use several; any other name stands as it was sent."""

PRIVATE_SUFFIXES: Final = (".local", ".internal", ".localhost", ".svc", ".lan", ".intranet", ".home.arpa", ".private")


def system_name(system: str) -> str:
    """Return the one name of a database, cache or broker: `postgresql` → `postgres`."""
    lowered = system.strip().lower()
    return SYSTEMS.get(lowered, lowered.replace(" ", "-"))


def is_data_host(host: str) -> bool:
    """Tell whether a public host is a database or cache spoken to over HTTP."""
    if any(host == domain or host.endswith("." + domain) for domain in DATA_HOSTS):
        return True
    return host.endswith(".amazonaws.com") and any(label in AWS_DATA for label in host.split(".")[:-2])


def is_private(host: str) -> bool:
    """Tell whether a host cannot be a third party: a bare name, a private or loopback address, an inner domain."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return "." not in host or host.endswith(PRIVATE_SUFFIXES)
    return address.is_private or address.is_loopback or address.is_link_local


def is_address(host: str) -> bool:
    """Tell whether a host is a number, or this machine: then only the port tells services apart."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host == "localhost"
    return True
