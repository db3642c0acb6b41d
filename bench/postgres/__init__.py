"""fastweb's PostgreSQL client beside asyncpg and psycopg, alone and in an app: `python -m bench.postgres`."""
