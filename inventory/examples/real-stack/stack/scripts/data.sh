# The database: PostgreSQL. Its release is the schema.
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)

create() {
    initdb -D run/pg --auth trust >/dev/null
    echo "host all all samenet trust" >>run/pg/pg_hba.conf
    start
    createdb -h "$ADDRESS" orders
}

start() {
    pg_ctl -D run/pg -l run/pg.log -o "-h $ADDRESS -k $PWD/run" start >/dev/null
}

running_version() {
    psql -qAtX -h "$ADDRESS" -c 'SELECT version FROM release' orders
}
