-- Casts as Trino does them: doubles round half away from zero, text is only what Trino would read, doubles print as 1.5E0.

CREATE OR REPLACE MACRO phlo_bare(s) AS trim(s, E' \t\n\x0B\f\r');
CREATE OR REPLACE MACRO phlo_integer_text(s) AS CASE
    WHEN regexp_full_match(phlo_bare(s), '[+-]?[0-9]+') THEN phlo_bare(s) ELSE 'not a whole number: ' || s END;
CREATE OR REPLACE MACRO phlo_double_text(s) AS CASE
    WHEN regexp_full_match(phlo_bare(s), '[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[dDfF]?')
        THEN rtrim(phlo_bare(s), 'dDfF')
    WHEN regexp_full_match(phlo_bare(s), '[+-]?(Infinity|NaN)') THEN phlo_bare(s)
    ELSE 'not a number: ' || s END;

CREATE OR REPLACE MACRO trino_to_bigint
    (t_x BIGINT, x) AS x::BIGINT, (t_x BOOLEAN, x) AS x::BIGINT, (t_x DECIMAL, x) AS x::BIGINT,
    (t_x DOUBLE, x) AS round(x)::BIGINT, (t_x VARCHAR, x) AS phlo_integer_text(x)::BIGINT;
CREATE OR REPLACE MACRO trino_to_integer
    (t_x BIGINT, x) AS x::INTEGER, (t_x BOOLEAN, x) AS x::INTEGER, (t_x DECIMAL, x) AS x::INTEGER,
    (t_x DOUBLE, x) AS round(x)::INTEGER, (t_x VARCHAR, x) AS phlo_integer_text(x)::INTEGER;
CREATE OR REPLACE MACRO trino_to_smallint
    (t_x BIGINT, x) AS x::SMALLINT, (t_x BOOLEAN, x) AS x::SMALLINT, (t_x DECIMAL, x) AS x::SMALLINT,
    (t_x DOUBLE, x) AS round(x)::SMALLINT, (t_x VARCHAR, x) AS phlo_integer_text(x)::SMALLINT;
CREATE OR REPLACE MACRO trino_to_tinyint
    (t_x BIGINT, x) AS x::TINYINT, (t_x BOOLEAN, x) AS x::TINYINT, (t_x DECIMAL, x) AS x::TINYINT,
    (t_x DOUBLE, x) AS round(x)::TINYINT, (t_x VARCHAR, x) AS phlo_integer_text(x)::TINYINT;
CREATE OR REPLACE MACRO trino_to_double
    (t_x DOUBLE, x) AS x::DOUBLE, (t_x BOOLEAN, x) AS x::INTEGER::DOUBLE,
    (t_x VARCHAR, x) AS phlo_double_text(x)::DOUBLE;
CREATE OR REPLACE MACRO trino_to_real
    (t_x DOUBLE, x) AS x::FLOAT, (t_x BOOLEAN, x) AS x::INTEGER::FLOAT,
    (t_x VARCHAR, x) AS phlo_double_text(x)::FLOAT;
CREATE OR REPLACE MACRO trino_to_boolean
    (t_x BOOLEAN, x) AS x, (t_x DOUBLE, x) AS x <> 0,
    (t_x VARCHAR, x) AS CASE
        WHEN lower(x) IN ('true', 't', '1') THEN true WHEN lower(x) IN ('false', 'f', '0') THEN false
        ELSE ('not a boolean: ' || x)::BOOLEAN END;
-- The result's own precision is wanted, so the cast itself stands around this macro.
CREATE OR REPLACE MACRO phlo_decimal_text(s) AS CASE
    WHEN regexp_full_match(s, '[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?') THEN s
    ELSE 'not a decimal: ' || s END;
CREATE OR REPLACE MACRO trino_before_decimal
    (t_x BIGINT, x) AS x, (t_x BOOLEAN, x) AS x::INTEGER, (t_x DECIMAL, x) AS x,
    (t_x FLOAT, x) AS x::VARCHAR, (t_x DOUBLE, x) AS x::VARCHAR, (t_x VARCHAR, x) AS phlo_decimal_text(x);

CREATE OR REPLACE MACRO trino_to_date
    (t_x DATE, x) AS x, (t_x TIMESTAMP, x) AS x::DATE, (t_x TIMESTAMPTZ, x) AS x::DATE,
    (t_x VARCHAR, x) AS CASE
        WHEN regexp_full_match(phlo_bare(x), '[+-]?[0-9]{1,6}-[0-9]{1,2}-[0-9]{1,2}') THEN phlo_bare(x)
        ELSE 'not a date: ' || x END::DATE;
-- A timestamp is kept in microseconds; p digits of a second remain, rounded half up.
CREATE OR REPLACE MACRO phlo_to_digits(x, p) AS CASE
    WHEN p >= 6 THEN x
    ELSE make_timestamp(CAST(floor((epoch_us(x) + pow(10, 6 - p)::BIGINT // 2) / pow(10, 6 - p)) AS BIGINT)
                        * pow(10, 6 - p)::BIGINT) END;
CREATE OR REPLACE MACRO trino_to_time
    (t_x TIME, x) AS x, (t_x TIMESTAMP, x) AS x::TIME, (t_x TIMESTAMPTZ, x) AS timezone('UTC', x)::TIME,
    (t_x VARCHAR, x) AS x::TIME;
CREATE OR REPLACE MACRO phlo_time_digits(x, p) AS phlo_to_digits(DATE '2000-01-01' + x, p)::TIME;

CREATE OR REPLACE MACRO phlo_timestamp_text(s) AS CASE
    WHEN regexp_full_match(phlo_bare(s),
        '[0-9]{4,6}-[0-9]{1,2}-[0-9]{1,2}( +[0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]{1,12})?)?)?'
        || '( *([+-][0-9]{2}:[0-9]{2}|Z|UTC|GMT|[A-Z][A-Za-z_]+/[A-Za-z_/]+))?')
    THEN regexp_replace(regexp_extract(regexp_replace(phlo_bare(s), ' +', ' ', 'g'),
        '^[0-9]+-[0-9]+-[0-9]+( [0-9:.]+)?'), '( [0-9]{1,2}:[0-9]{1,2})$', '\1:00')
    ELSE 'not a timestamp: ' || s END;
CREATE OR REPLACE MACRO trino_to_timestamp
    (t_x DATE, x, p) AS x::TIMESTAMP, (t_x TIMESTAMP, x, p) AS phlo_to_digits(x, p),
    (t_x TIMESTAMPTZ, x, p) AS phlo_to_digits(timezone('UTC', x), p),
    (t_x VARCHAR, x, p) AS phlo_to_digits(phlo_timestamp_text(x)::TIMESTAMP, p);
CREATE OR REPLACE MACRO phlo_timestamptz_text(s) AS CASE
    WHEN regexp_full_match(phlo_bare(s),
        '[0-9]{4,6}-[0-9]{1,2}-[0-9]{1,2}( +[0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]{1,12})?)?)?'
        || '( *([+-][0-9]{2}:[0-9]{2}|Z|UTC|GMT|[A-Z][A-Za-z_]+/[A-Za-z_/]+))?')
    THEN regexp_replace(regexp_replace(
        regexp_replace(phlo_bare(s), ' +', ' ', 'g'), '( [0-9]{1,2}:[0-9]{1,2})($| |Z|[+-])', '\1:00\2'),
        ' ([+-])', '\1')
    ELSE 'not a timestamp: ' || s END;
CREATE OR REPLACE MACRO phlo_text_to_instant(x, p) AS
    phlo_to_digits(timezone('UTC', phlo_timestamptz_text(x)::TIMESTAMPTZ), p)::TIMESTAMPTZ;
CREATE OR REPLACE MACRO trino_to_timestamptz
    (t_x DATE, x, p) AS x::TIMESTAMP::TIMESTAMPTZ, (t_x TIMESTAMP, x, p) AS phlo_to_digits(x, p)::TIMESTAMPTZ,
    (t_x TIMESTAMPTZ, x, p) AS phlo_to_digits(timezone('UTC', x), p)::TIMESTAMPTZ,
    (t_x VARCHAR, x, p) AS CASE
        WHEN regexp_matches(x, '([+-][0-9]{2}:[0-9]{2}|/[A-Za-z_]+)\s*$') AND NOT regexp_matches(x, '[+-]00:00\s*$')
        THEN ('cast a timestamp with a time zone to timestamp or date right where it is read: ' || x)::TIMESTAMPTZ
        ELSE phlo_text_to_instant(x, p) END;

CREATE OR REPLACE MACRO phlo_timestamp_to_varchar(x, p) AS strftime(x, '%Y-%m-%d %H:%M:%S') || CASE
    WHEN p = 0 THEN '' ELSE '.' || substr(strftime(x, '%f'), 1, p) END;
CREATE OR REPLACE MACRO phlo_time_to_varchar(x, p) AS phlo_timestamp_to_varchar(DATE '2000-01-01' + x, p)[12:];
CREATE OR REPLACE MACRO phlo_milliseconds(x) AS (epoch_us(x) // 1000)::BIGINT;
-- p of 12: an interval of months, also where it is zero.
CREATE OR REPLACE MACRO phlo_interval_to_varchar(x, p) AS CASE
    WHEN p = 12 OR datepart('month', x) <> 0 OR datepart('year', x) <> 0 THEN
        CASE WHEN datepart('year', x) * 12 + datepart('month', x) < 0 THEN '-' ELSE '' END
        || abs(datepart('year', x)) || '-' || abs(datepart('month', x))
    ELSE CASE WHEN phlo_milliseconds(x) < 0 THEN '-' ELSE '' END
        || (abs(phlo_milliseconds(x)) // 86400000) || ' '
        || strftime(make_timestamp(abs(phlo_milliseconds(x)) * 1000), '%H:%M:%S.%g') END;
CREATE OR REPLACE MACRO trino_to_varchar
    (t_x VARCHAR, x, p) AS x::VARCHAR, (t_x BIGINT, x, p) AS x::VARCHAR, (t_x DECIMAL, x, p) AS phlo_decimal_to_varchar(x),
    (t_x BOOLEAN, x, p) AS x::VARCHAR, (t_x FLOAT, x, p) AS phlo_double_to_varchar(x),
    (t_x DOUBLE, x, p) AS phlo_double_to_varchar(x), (t_x DATE, x, p) AS x::VARCHAR,
    (t_x TIME, x, p) AS phlo_time_to_varchar(x, p),
    (t_x TIMESTAMP, x, p) AS phlo_timestamp_to_varchar(x, p),
    (t_x TIMESTAMPTZ, x, p) AS phlo_timestamp_to_varchar(timezone('UTC', x), p) || ' UTC',
    (t_x INTERVAL, x, p) AS phlo_interval_to_varchar(x, p), (t_x UUID, x, p) AS x::VARCHAR;
-- Text is cut at n characters; a number that needs more is an error.
CREATE OR REPLACE MACRO trino_to_varchar_of
    (t_x VARCHAR, x, p, n) AS substr(x, 1, n),
    (t_x BIGINT, x, p, n) AS CASE
        WHEN length(x::VARCHAR) > n THEN ('too long: ' || x)::BIGINT::VARCHAR ELSE x::VARCHAR END,
    (t_x DECIMAL, x, p, n) AS CASE
        WHEN length(phlo_decimal_to_varchar(x)) > n THEN ('too long: ' || x)::BIGINT::VARCHAR
        ELSE phlo_decimal_to_varchar(x) END,
    (t_x BOOLEAN, x, p, n) AS CASE
        WHEN length(x::VARCHAR) > n THEN ('too long: ' || x)::BIGINT::VARCHAR ELSE x::VARCHAR END,
    (t_x DOUBLE, x, p, n) AS CASE
        WHEN length(phlo_double_to_varchar(x)) > n THEN ('too long: ' || x)::BIGINT::VARCHAR
        ELSE phlo_double_to_varchar(x) END,
    (t_x DATE, x, p, n) AS CASE
        WHEN length(x::VARCHAR) > n THEN ('too long: ' || x)::BIGINT::VARCHAR ELSE x::VARCHAR END;
-- A type's name in Trino's words; of text and times DuckDB does not know the length or the digits.
CREATE OR REPLACE MACRO phlo_typeof(name) AS CASE
    WHEN name IN ('TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'DOUBLE', 'BOOLEAN', 'DATE', 'JSON', 'UUID') THEN lower(name)
    WHEN name = 'FLOAT' THEN 'real' WHEN name = 'BLOB' THEN 'varbinary' WHEN name = '"NULL"' THEN 'unknown'
    WHEN name LIKE 'DECIMAL%[]' THEN 'array(' || lower(name[:-3]) || ')'
    WHEN name LIKE 'DECIMAL%' THEN lower(name) WHEN name = 'INTERVAL' THEN 'interval day to second'
    WHEN regexp_full_match(name, '(TINYINT|SMALLINT|INTEGER|BIGINT|DOUBLE|BOOLEAN|DATE)\[\]')
        THEN 'array(' || lower(name[:-3]) || ')'
    ELSE ('not a type that is known here: ' || name)::BIGINT::VARCHAR END;
