-- Dates and times as Trino treats them, in UTC.

CREATE OR REPLACE MACRO trino_date_trunc
    (t_x DATE, unit, x) AS date_trunc(unit, x)::DATE,
    (t_x TIME, unit, x) AS date_trunc(unit, DATE '2000-01-01' + x)::TIME,
    (t_x TIMESTAMP, unit, x) AS date_trunc(unit, x),
    (t_x TIMESTAMPTZ, unit, x) AS date_trunc(unit, x);
CREATE OR REPLACE MACRO trino_plus_interval
    (t_x DATE, x, i) AS CAST(x + i AS DATE),
    (t_x, x, i) AS x + i;
CREATE OR REPLACE MACRO trino_minus_interval
    (t_x DATE, x, i) AS CAST(x - i AS DATE),
    (t_x, x, i) AS x - i;
-- A difference of dates is an interval, of numbers a number.
CREATE OR REPLACE MACRO trino_minus
    (t_a DATE, t_b DATE, a, b) AS to_days(CAST(a - b AS INTEGER)),
    (t_a, t_b, a, b) AS a - b;
CREATE OR REPLACE MACRO phlo_units(unit, n) AS CASE unit
    WHEN 'millisecond' THEN to_milliseconds(n::BIGINT) WHEN 'second' THEN to_seconds(n::BIGINT)
    WHEN 'minute' THEN to_minutes(n::BIGINT) WHEN 'hour' THEN to_hours(n::BIGINT)
    WHEN 'day' THEN to_days(n::INTEGER) WHEN 'week' THEN to_days(7 * n::INTEGER)
    WHEN 'month' THEN to_months(n::INTEGER) WHEN 'quarter' THEN to_months(3 * n::INTEGER)
    WHEN 'year' THEN to_months(12 * n::INTEGER) END;
CREATE OR REPLACE MACRO trino_date_add(t_x, unit, n, x) AS trino_plus_interval(t_x, x, phlo_units(unit, n));
CREATE OR REPLACE MACRO trino_date_diff(unit, a, b) AS datesub(unit, a, b)::BIGINT;

CREATE OR REPLACE MACRO trino_day
    (t_x INTERVAL, x) AS epoch_us(x)::BIGINT // 86400000000, (t_x TIMESTAMP, x) AS day(x), (t_x TIMESTAMPTZ, x) AS day(x);
CREATE OR REPLACE MACRO trino_hour
    (t_x INTERVAL, x) AS (epoch_us(x)::BIGINT // 3600000000) % 24, (t_x TIME, x) AS hour(x),
    (t_x TIMESTAMP, x) AS hour(x), (t_x TIMESTAMPTZ, x) AS hour(x);
CREATE OR REPLACE MACRO trino_minute
    (t_x INTERVAL, x) AS (epoch_us(x)::BIGINT // 60000000) % 60, (t_x TIME, x) AS minute(x),
    (t_x TIMESTAMP, x) AS minute(x), (t_x TIMESTAMPTZ, x) AS minute(x);
CREATE OR REPLACE MACRO trino_second
    (t_x INTERVAL, x) AS (epoch_us(x)::BIGINT // 1000000) % 60, (t_x TIME, x) AS second(x),
    (t_x TIMESTAMP, x) AS second(x), (t_x TIMESTAMPTZ, x) AS second(x);
CREATE OR REPLACE MACRO trino_millisecond
    (t_x INTERVAL, x) AS (epoch_us(x)::BIGINT // 1000) % 1000, (t_x TIME, x) AS millisecond(x) % 1000,
    (t_x TIMESTAMP, x) AS millisecond(x) % 1000, (t_x TIMESTAMPTZ, x) AS millisecond(x) % 1000;

CREATE OR REPLACE MACRO trino_from_unixtime(x) AS
    timezone('UTC', epoch_ms(CAST(floor(x::DOUBLE * 1000 + 0.5) AS BIGINT)));
CREATE OR REPLACE MACRO trino_to_unixtime(x) AS epoch(x);
CREATE OR REPLACE MACRO trino_to_milliseconds(i) AS (epoch_us(i) // 1000)::BIGINT;
CREATE OR REPLACE MACRO trino_now() AS date_trunc('millisecond', now());
CREATE OR REPLACE MACRO trino_localtimestamp() AS date_trunc('millisecond', timezone('UTC', now()));
CREATE OR REPLACE MACRO trino_current_timezone() AS 'UTC';
CREATE OR REPLACE MACRO trino_last_day_of_month(x) AS last_day(x);
CREATE OR REPLACE MACRO trino_to_iso8601
    (t_x DATE, x, p) AS strftime(x, '%Y-%m-%d'),
    (t_x TIMESTAMP, x, p) AS replace(phlo_timestamp_to_varchar(x, p), ' ', 'T'),
    (t_x TIMESTAMPTZ, x, p) AS replace(phlo_timestamp_to_varchar(timezone('UTC', x), p), ' ', 'T') || 'Z';
CREATE OR REPLACE MACRO trino_from_iso8601_date(s) AS CASE
    WHEN regexp_full_match(s, '[0-9]{4}-[0-9]{2}-[0-9]{2}') THEN s::DATE
    WHEN regexp_full_match(s, '[0-9]{4}-W[0-9]{2}(-[1-7])?')
        THEN strptime(CASE WHEN length(s) = 8 THEN s || '-1' ELSE s END, '%G-W%V-%u')::DATE
    WHEN regexp_full_match(s, '[0-9]{4}-[0-9]{3}') THEN strptime(s, '%Y-%j')::DATE
    ELSE ('not an ISO 8601 date: ' || s)::DATE END;
CREATE OR REPLACE MACRO phlo_full_iso8601(s) AS CASE
    WHEN regexp_full_match(s, '[0-9]{4}-[0-9]{2}-[0-9]{2}'
        || '(T[0-9]{2}(:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?)?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?')
    THEN regexp_replace(regexp_replace(replace(s, ',', '.'), 'T([0-9]{2})($|Z|[+-])', 'T\1:00\2'),
                        'T([0-9]{2}:[0-9]{2})($|Z|[+-])', 'T\1:00\2')
    ELSE 'not an ISO 8601 timestamp: ' || s END;
CREATE OR REPLACE MACRO phlo_instant_iso8601(s) AS
    timezone('UTC', date_trunc('millisecond', timezone('UTC', CAST(phlo_full_iso8601(s) AS TIMESTAMPTZ))));
-- What a clock at the text's own offset shows.
CREATE OR REPLACE MACRO phlo_local_iso8601(s) AS date_trunc('millisecond', CAST(
    regexp_replace(phlo_full_iso8601(s), '(T[0-9:.]+)(Z|[+-][0-9:]+)$', '\1') AS TIMESTAMP));
-- Where a clock may be read later: DuckDB keeps no offset, so there may be none.
CREATE OR REPLACE MACRO phlo_utc_iso8601(s) AS CASE
    WHEN regexp_matches(s, 'T.*[+-][0-9:]+$') AND NOT regexp_matches(s, '[+-]00(:?00)?$')
    THEN ('cast a timestamp with an offset to timestamp or date right where it is read: ' || s)::TIMESTAMPTZ
    ELSE phlo_instant_iso8601(s) END;
CREATE OR REPLACE MACRO trino_date_parse(s, pattern) AS date_trunc('millisecond', strptime(s, pattern));
CREATE OR REPLACE MACRO trino_parse_datetime(s, pattern) AS
    timezone('UTC', date_trunc('millisecond', strptime(s, pattern)));
CREATE OR REPLACE MACRO phlo_thousandths(x) AS phlo_to_digits(x, 3);
CREATE OR REPLACE MACRO trino_strftime
    (t_x DATE, x, pattern) AS strftime(x, pattern),
    (t_x TIMESTAMP, x, pattern) AS strftime(phlo_thousandths(x), pattern),
    (t_x TIMESTAMPTZ, x, pattern) AS strftime(phlo_thousandths(timezone('UTC', x)), pattern);
CREATE OR REPLACE MACRO phlo_plural(n, word) AS CASE
    WHEN n = 0 THEN NULL ELSE n || ' ' || word || CASE WHEN n = 1 THEN '' ELSE 's' END END;
CREATE OR REPLACE MACRO trino_human_readable_seconds(x) AS coalesce(nullif(concat_ws(', ',
    phlo_plural(round(abs(x))::BIGINT // 604800, 'week'), phlo_plural(round(abs(x))::BIGINT // 86400 % 7, 'day'),
    phlo_plural(round(abs(x))::BIGINT // 3600 % 24, 'hour'), phlo_plural(round(abs(x))::BIGINT // 60 % 60, 'minute'),
    phlo_plural(round(abs(x))::BIGINT % 60, 'second')), ''), CASE WHEN x IS NULL THEN NULL ELSE '0 seconds' END);
CREATE OR REPLACE MACRO trino_parse_duration(s) AS to_milliseconds(CAST(floor(0.5
    + regexp_extract(s, '^\s*([0-9]+(?:\.[0-9]+)?)', 1)::DOUBLE
    * CASE regexp_extract(s, '([a-z]+)\s*$', 1)
        WHEN 'ns' THEN 1e-6 WHEN 'us' THEN 1e-3 WHEN 'ms' THEN 1e0 WHEN 's' THEN 1e3
        WHEN 'm' THEN 6e4 WHEN 'h' THEN 3.6e6 WHEN 'd' THEN 8.64e7 ELSE ('not a duration: ' || s)::DOUBLE END) AS BIGINT));
-- Minutes by which a zone's clock is ahead of UTC's at an instant.
CREATE OR REPLACE MACRO phlo_offset(x, zone) AS
    CAST(epoch(timezone(zone, x)) - epoch(timezone('UTC', x)) AS BIGINT) // 60;
