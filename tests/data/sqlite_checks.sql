-- What SQLite does with tables, indices, transactions, windows, full text and JSON. tests/integration/programs.py
-- compares what a cell's shell prints with what the host's does.
.mode list
.headers on
PRAGMA journal_mode = DELETE;
PRAGMA page_size;
CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT NOT NULL, born INTEGER CHECK (born > 1800), weight REAL);
CREATE UNIQUE INDEX by_name ON people(name);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO people SELECT i, printf('person %05d', (i * 7919) % 20011), 1900 + i % 100, i * 0.37 FROM n;
SELECT count(*), sum(born), round(avg(weight), 6), min(name), max(name) FROM people;
SELECT born % 10 AS d, count(*), total(weight) FROM people GROUP BY d HAVING d > 4 ORDER BY d DESC;
SELECT id, name FROM people WHERE name BETWEEN 'person 00100' AND 'person 00110' ORDER BY name;
EXPLAIN QUERY PLAN SELECT * FROM people WHERE name = 'person 00007';
SELECT id, born, rank() OVER (PARTITION BY born ORDER BY weight DESC) AS r,
 sum(weight) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s FROM people WHERE id <= 200 ORDER BY r, id LIMIT 12;
BEGIN;
UPDATE people SET weight = weight * 2 WHERE id % 3 = 0;
SAVEPOINT here;
DELETE FROM people WHERE id % 2 = 0;
SELECT count(*), total(weight) FROM people;
ROLLBACK TO here;
SELECT count(*), total(weight) FROM people;
COMMIT;
CREATE TABLE log(t TEXT);
CREATE TRIGGER watch AFTER DELETE ON people BEGIN INSERT INTO log VALUES ('gone: ' || old.name); END;
DELETE FROM people WHERE id IN (1, 2, 3);
SELECT * FROM log;
INSERT INTO people VALUES (4, 'taken', 1950, 1.0);
INSERT INTO people VALUES (1, 'too old', 1700, 1.0);
INSERT INTO people VALUES (1, 'person 00017', 1950, 1.0) ON CONFLICT (name) DO UPDATE SET weight = -1 RETURNING id, weight;
SELECT l.name, r.name FROM people l JOIN people r ON r.id = l.id + 1 LEFT JOIN log ON log.t = l.name WHERE l.id < 9;
CREATE VIRTUAL TABLE words USING fts4(body);
INSERT INTO words VALUES ('the quick brown fox'), ('jumps over the lazy dog'), ('a quick dog');
SELECT rowid, snippet(words) FROM words WHERE words MATCH 'quick OR lazy' ORDER BY rowid;
CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1, y0, y1);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
INSERT INTO boxes SELECT i, i % 50, i % 50 + 1, i / 50, i / 50 + 1 FROM n;
SELECT count(*), sum(id) FROM boxes WHERE x0 >= 10 AND x1 <= 20 AND y0 >= 5 AND y1 <= 15;
SELECT json_extract('{"a":[1,2,{"b":"c"}]}', '$.a[2].b'), json_group_array(id) FROM people WHERE id < 10;
SELECT key, value FROM json_each('[1,"two",null,{"x":3.5}]');
SELECT date('2024-02-29', '+1 year'), strftime('%j %W', '2024-12-31'), julianday('2000-01-01'), unixepoch('1970-01-02');
SELECT hex(zeroblob(4)), quote(x'00ff'), 9223372036854775807 + 1, 1e308 * 10, 0.1 + 0.2, 7 / 2, -7 % 3, 1 / 0;
SELECT printf('%08.3f|%-6s|%,d|%q', 3.14159, 'ab', 1234567, 'it''s'), upper('straße'), like('A%', 'abc'), 'x' GLOB '[w-y]';
VACUUM;
PRAGMA integrity_check;
SELECT count(*) FROM sqlite_schema;
.dump log
SELECT * FROM missing;
