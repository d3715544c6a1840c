-- TPC-H's eight tables at a scale of 0.1, made of hashes: the shapes and the domains that the queries ask for.
-- The low bits of hashes that differ in one number alone go together.
CREATE MACRO pick(seed, n, list) AS list[1 + CAST(hash(seed, n) // 65521 % len(list) AS BIGINT)];
CREATE MACRO upto(seed, n, low, high) AS CAST(low + hash(seed, n) // 65521 % (high - low + 1) AS BIGINT);
CREATE MACRO words(n) AS array_to_string(list_transform(range(5), lambda i: pick(n, 900 + i,
    ['special', 'requests', 'packages', 'deposits', 'Customer', 'Complaints', 'furiously', 'slyly', 'final', 'pending'])), ' ');

CREATE TABLE region AS SELECT CAST(range AS BIGINT) AS regionkey,
    ['AFRICA', 'AMERICA', 'ASIA', 'EUROPE', 'MIDDLE EAST'][range + 1] AS name FROM range(5);
CREATE TABLE nation AS SELECT CAST(range AS BIGINT) AS nationkey,
    ['ALGERIA', 'ARGENTINA', 'BRAZIL', 'CANADA', 'EGYPT', 'ETHIOPIA', 'FRANCE', 'GERMANY', 'INDIA', 'INDONESIA', 'IRAN',
     'IRAQ', 'JAPAN', 'JORDAN', 'KENYA', 'MOROCCO', 'MOZAMBIQUE', 'PERU', 'CHINA', 'ROMANIA', 'SAUDI ARABIA', 'VIETNAM',
     'RUSSIA', 'UNITED KINGDOM', 'UNITED STATES'][range + 1] AS name,
    CAST([0, 1, 1, 1, 4, 0, 3, 3, 2, 2, 4, 4, 2, 4, 0, 0, 0, 1, 2, 3, 4, 2, 3, 3, 1][range + 1] AS BIGINT) AS regionkey
FROM range(25);
CREATE TABLE supplier AS SELECT range + 1 AS suppkey, 'Supplier#' || lpad(CAST(range + 1 AS VARCHAR), 9, '0') AS name,
    'addr ' || hash(range, 1) % 100000 AS address, upto(range, 2, 0, 24) AS nationkey,
    (10 + upto(range, 3, 0, 24)) || '-' || upto(range, 4, 100, 999) AS phone,
    upto(range, 5, -99999, 999999) / 100.0 AS acctbal, words(range) AS comment FROM range(1000);
CREATE TABLE customer AS SELECT range + 1 AS custkey, 'Customer#' || lpad(CAST(range + 1 AS VARCHAR), 9, '0') AS name,
    'addr ' || hash(range, 11) % 100000 AS address, upto(range, 12, 0, 24) AS nationkey,
    (10 + upto(range, 12, 0, 24)) || '-' || upto(range, 14, 100, 999) AS phone,
    upto(range, 15, -99999, 999999) / 100.0 AS acctbal,
    pick(range, 16, ['AUTOMOBILE', 'BUILDING', 'FURNITURE', 'MACHINERY', 'HOUSEHOLD']) AS mktsegment,
    words(range + 7) AS comment FROM range(15000);
CREATE TABLE part AS SELECT range + 1 AS partkey,
    pick(range, 21, ['green', 'blue', 'red', 'forest', 'almond']) || ' ' || pick(range, 22, ['rose', 'sky', 'green', 'misty']) AS name,
    'Manufacturer#' || upto(range, 23, 1, 5) AS mfgr, 'Brand#' || upto(range, 24, 1, 5) || upto(range, 25, 1, 5) AS brand,
    pick(range, 26, ['STANDARD', 'SMALL', 'MEDIUM', 'LARGE', 'ECONOMY', 'PROMO']) || ' '
        || pick(range, 27, ['ANODIZED', 'BURNISHED', 'PLATED', 'POLISHED', 'BRUSHED']) || ' '
        || pick(range, 28, ['TIN', 'NICKEL', 'BRASS', 'STEEL', 'COPPER']) AS type,
    upto(range, 29, 1, 50) AS size,
    pick(range, 30, ['SM', 'LG', 'MED', 'JUMBO', 'WRAP']) || ' ' || pick(range, 31, ['CASE', 'BOX', 'BAG', 'JAR', 'PKG', 'PACK']) AS container,
    upto(range, 32, 90000, 200000) / 100.0 AS retailprice FROM range(20000);
CREATE TABLE partsupp AS SELECT p.range + 1 AS partkey, (p.range + s.range * 251) % 1000 + 1 AS suppkey,
    upto(p.range * 4 + s.range, 41, 1, 9999) AS availqty, upto(p.range * 4 + s.range, 42, 100, 100000) / 100.0 AS supplycost
FROM range(20000) p, range(4) s;
CREATE TABLE orders AS SELECT range + 1 AS orderkey, upto(range, 51, 0, 9999) * 3 // 2 + 1 AS custkey,
    pick(range, 52, ['F', 'O', 'P']) AS orderstatus, upto(range, 53, 100000, 50000000) / 100.0 AS totalprice,
    DATE '1992-01-01' + CAST(hash(range, 54) % 2406 AS INTEGER) AS orderdate,
    pick(range, 55, ['1-URGENT', '2-HIGH', '3-MEDIUM', '4-NOT SPECIFIED', '5-LOW']) AS orderpriority,
    words(range + 3) AS comment FROM range(150000);
CREATE TABLE lineitem AS SELECT o.orderkey, (l.partkey - 1) % 20000 + 1 AS partkey,
    ((l.partkey - 1) % 20000 + hash(l.n, 65) % 4 * 251) % 1000 + 1 AS suppkey, l.line AS linenumber,
    CAST(upto(l.n, 61, 1, 50) AS DOUBLE) AS quantity, upto(l.n, 62, 90000, 9500000) / 100.0 AS extendedprice,
    upto(l.n, 63, 0, 10) / 100.0 AS discount, upto(l.n, 64, 0, 8) / 100.0 AS tax,
    CASE WHEN hash(l.n, 66) % 2 = 0 THEN 'N' ELSE pick(l.n, 67, ['R', 'A']) END AS returnflag,
    pick(l.n, 68, ['O', 'F']) AS linestatus,
    o.orderdate + CAST(1 + hash(l.n, 69) % 121 AS INTEGER) AS shipdate,
    o.orderdate + CAST(30 + hash(l.n, 70) % 61 AS INTEGER) AS commitdate,
    o.orderdate + CAST(2 + hash(l.n, 69) % 121 + hash(l.n, 71) % 30 AS INTEGER) AS receiptdate,
    pick(l.n, 72, ['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN']) AS shipinstruct,
    pick(l.n, 73, ['REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB']) AS shipmode
FROM orders o, LATERAL (SELECT range + 1 AS line, o.orderkey * 8 + range AS n,
    upto(o.orderkey * 8 + range, 60, 1, 20000) AS partkey FROM range(CAST(1 + hash(o.orderkey, 59) % 7 AS BIGINT))) l;
