#!/bin/bash
# sqlite3 - create, insert, index, join, full text, recursion, blobs, vacuum
# and dump, in memory and on disk.
. "$(dirname "$0")/common"
needs sqlite3

cat >"$input/work.sql" <<'END'
PRAGMA journal_mode = WAL;
PRAGMA cache_size = 500;
CREATE TABLE item(id INTEGER PRIMARY KEY, k INT, name TEXT, body BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000)
INSERT INTO item SELECT i, (i * 7919) % 10007, printf('name %d %x', i, i * i),
	zeroblob((i * 31) % 700) FROM n;
CREATE INDEX item_k ON item(k);
CREATE INDEX item_name ON item(name, k);
SELECT count(*), sum(k), max(name), sum(length(body)) FROM item;
DELETE FROM item WHERE k % 3 = 0;
UPDATE item SET body = zeroblob(40000) WHERE k < 30;
SELECT a.id, b.id FROM item a JOIN item b ON a.k = b.k AND a.id < b.id
	ORDER BY b.name DESC, a.id LIMIT 20;
SELECT k % 50 g, group_concat(id, ',') FROM item GROUP BY g ORDER BY g LIMIT 5;
CREATE VIRTUAL TABLE ft USING fts5(t);
INSERT INTO ft SELECT name || ' word' || (k % 97) FROM item;
SELECT count(*) FROM ft WHERE ft MATCH 'word13 OR word77';
SELECT json_group_array(json_object('id', id, 'k', k)) FROM item WHERE k < 40;
SELECT sum(row_number) FROM (SELECT row_number() OVER
	(PARTITION BY k % 10 ORDER BY name) row_number FROM item);
WITH RECURSIVE q(x, s) AS (SELECT 1, 'a' UNION ALL
	SELECT x + 1, s || char(97 + x % 26) FROM q WHERE x < 3000)
SELECT sum(length(s)), substr(max(s), 1, 60) FROM q;
BEGIN;
INSERT INTO item SELECT id + 100000, k, name, body FROM item;
ROLLBACK;
PRAGMA integrity_check;
VACUUM;
ANALYZE;
SELECT hex(substr(randomblob(8), 1, 0)), typeof(body) FROM item LIMIT 2;
.dump item
END

workload()
{
	sqlite3 disk.db <"$input/work.sql" >out/disk
	sqlite3 :memory: <"$input/work.sql" >out/memory
	sqlite3 disk.db .schema
	sqlite3 disk.db 'SELECT nothing FROM item' 2>&1 || echo "status $?"
}

compare_runs
check_served sqlite3 :memory: 'SELECT 1'
finish
