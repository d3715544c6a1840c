-- What stands around DuckDB's aggregates so that their results have Trino's types and values.

CREATE OR REPLACE MACRO phlo_sum
    (t_sample BIGINT, total, sample) AS total::BIGINT, (t_sample DECIMAL, total, sample) AS total,
    (t_sample FLOAT, total, sample) AS total::FLOAT, (t_sample DOUBLE, total, sample) AS total,
    (t_sample INTERVAL, total, sample) AS total;
CREATE OR REPLACE MACRO phlo_real
    (t_x FLOAT, x) AS x::FLOAT, (t_x, x) AS x;
CREATE OR REPLACE MACRO phlo_avg
    (t_sample BIGINT, mean, total, n, sample) AS mean,
    (t_sample FLOAT, mean, total, n, sample) AS mean::FLOAT,
    (t_sample DOUBLE, mean, total, n, sample) AS mean,
    (t_sample INTERVAL, mean, total, n, sample) AS mean,
    (t_sample DECIMAL, mean, total, n, sample) AS cast_to_type(phlo_divide_decimals(total, n), sample);
CREATE OR REPLACE MACRO phlo_finite(x) AS CASE WHEN isnan(x) THEN NULL ELSE x END;
CREATE OR REPLACE MACRO phlo_skewness(unbiased, n) AS
    CASE WHEN n < 3 THEN NULL ELSE unbiased * (n - 2) / sqrt(n::DOUBLE * (n - 1)) END;
CREATE OR REPLACE MACRO phlo_percentile(ordered, p) AS ordered[least(floor(p * len(ordered)) + 1, len(ordered))::BIGINT];
CREATE OR REPLACE MACRO phlo_percentiles(ordered, ps) AS list_transform(ps, lambda p: phlo_percentile(ordered, p));
-- Of whole numbers and decimals Trino computes these in real.
CREATE OR REPLACE MACRO phlo_statistic
    (t_a BIGINT, t_b BIGINT, x, a, b) AS phlo_finite(x)::FLOAT,
    (t_a DECIMAL, t_b DECIMAL, x, a, b) AS phlo_finite(x)::FLOAT,
    (t_a FLOAT, t_b FLOAT, x, a, b) AS phlo_finite(x)::FLOAT,
    (t_a DOUBLE, t_b DOUBLE, x, a, b) AS phlo_finite(x)::DOUBLE;
CREATE OR REPLACE MACRO phlo_percentile_of
    (t_o BIGINT[], o, p) AS phlo_percentile(o, p)::BIGINT,
    (t_o DECIMAL(38, 9)[], o, p) AS phlo_percentile(o, p)::FLOAT,
    (t_o FLOAT[], o, p) AS phlo_percentile(o, p)::FLOAT,
    (t_o DOUBLE[], o, p) AS phlo_percentile(o, p)::DOUBLE;
CREATE OR REPLACE MACRO phlo_percentiles_of
    (t_o BIGINT[], o, ps) AS list_transform(ps, lambda p: phlo_percentile(o, p)::BIGINT),
    (t_o DECIMAL(38, 9)[], o, ps) AS list_transform(ps, lambda p: phlo_percentile(o, p)::FLOAT),
    (t_o FLOAT[], o, ps) AS list_transform(ps, lambda p: phlo_percentile(o, p)::FLOAT),
    (t_o DOUBLE[], o, ps) AS list_transform(ps, lambda p: phlo_percentile(o, p)::DOUBLE);
CREATE OR REPLACE MACRO phlo_greatest(options) AS CASE WHEN phlo_has_null(options) THEN NULL ELSE list_max(options) END;
CREATE OR REPLACE MACRO phlo_least(options) AS CASE WHEN phlo_has_null(options) THEN NULL ELSE list_min(options) END;
CREATE OR REPLACE MACRO phlo_histogram(counts) AS map_from_entries(list_transform(
    map_entries(counts), lambda entry: {'key': entry['key'], 'value': entry['value']::BIGINT}));
-- Trino ends a text here where it may be cut.
CREATE OR REPLACE MACRO phlo_listagg(joined) AS CASE
    WHEN strlen(joined) > 1048576 THEN ('too long: ' || strlen(joined))::BIGINT::VARCHAR ELSE joined END;
