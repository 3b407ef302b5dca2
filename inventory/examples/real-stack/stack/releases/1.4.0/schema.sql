CREATE TABLE orders (id serial PRIMARY KEY, article text NOT NULL);
CREATE TABLE release (version text NOT NULL);
INSERT INTO release VALUES ('1.4.0');
