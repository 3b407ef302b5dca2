-- Identifiers beyond 2,147,483,647 do not fit back: one way.
ALTER TABLE orders ALTER COLUMN id TYPE bigint;
ALTER SEQUENCE orders_id_seq AS bigint;
UPDATE release SET version = '1.5.0';
