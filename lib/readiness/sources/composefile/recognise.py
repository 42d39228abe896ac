"""Recognising what an image or a port stands for: data stores, and images that do nothing."""

from __future__ import annotations

import re

from .ports import Port

STORES = {
    "PostgreSQL": "postgres postgresql postgresql-repmgr postgis timescaledb timescaledb-ha "
    "pgvector pgvecto-rs citus spilo cloudnative-pg pgbouncer pgpool pgcat",
    "MySQL": "mysql mysql-server mariadb mariadb-galera percona percona-server "
    "percona-xtradb-cluster proxysql",
    "Redis": "redis redis-stack redis-stack-server redis-cluster redis-sentinel valkey keydb "
    "dragonfly",
    "MongoDB": "mongo mongodb mongodb-community-server mongodb-enterprise-server ferretdb",
    "memcached": "memcached",
    "RabbitMQ": "rabbitmq",
    "Kafka": "kafka cp-kafka redpanda zookeeper cp-zookeeper",
    "NATS": "nats nats-streaming",
    "Elasticsearch": "elasticsearch opensearch solr meilisearch typesense",
    "Cassandra": "cassandra scylla",
    "CouchDB": "couchdb couchbase",
    "ClickHouse": "clickhouse clickhouse-server",
    "InfluxDB": "influxdb",
    "Neo4j": "neo4j arangodb dgraph",
    "CockroachDB": "cockroach yugabyte",
    "SQL Server": "mssql-server server azure-sql-edge",  # mcr.microsoft.com/mssql/server
    "etcd": "etcd",
    "MinIO": "minio",
    "vector store": "qdrant weaviate milvus chroma",
}
STORE_OF = {name: store for store, names in STORES.items() for name in names.split()}
PORTS = {
    "5432": "PostgreSQL", "3306": "MySQL", "6379": "Redis", "27017": "MongoDB",
    "11211": "memcached", "5672": "RabbitMQ", "9092": "Kafka", "9200": "Elasticsearch",
    "9042": "Cassandra", "5984": "CouchDB", "1433": "SQL Server", "2379": "etcd",
    "26257": "CockroachDB", "7687": "Neo4j",
}  # fmt: skip
BARE = {"alpine", "busybox", "debian", "ubuntu", "fedora", "centos", "almalinux", "rockylinux"}
STAND_INS = {"hello-world", "pause", "true", "whoami", "http-echo", "httpbin", "echo-server"}


def name_of(image: str) -> str:
    """An image's own name: ``registry:5000/team/postgres:15@sha256:…`` is ``postgres``."""
    return image.split("@")[0].rsplit("/", 1)[-1].split(":")[0].lower()


def store_of(images: list[str], ports: list[Port]) -> str | None:
    """The data store that one of these images, or a published port, belongs to."""
    for image in images:
        name = name_of(image)
        if name == "server" and "mssql" not in image:
            continue
        # A variant such as postgres-alpine is the store; postgres-exporter and the like are not.
        if store := STORE_OF.get(re.sub(r"-(alpine|slim|debian|ubi|fips|db)$", "", name)):
            return store
    return next((f"{PORTS[p.target]}, by its port" for p in ports if p.target in PORTS), None)
