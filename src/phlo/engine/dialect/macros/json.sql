-- JSON as Trino treats it: text that is no JSON yields NULL from a path, an object is no scalar, keys are sorted.

CREATE OR REPLACE MACRO phlo_json_scalar(found) AS CASE
    WHEN found IS NULL OR json_type(found) IN ('OBJECT', 'ARRAY', 'NULL') THEN NULL ELSE found ->> '$' END;
CREATE OR REPLACE MACRO trino_json_extract(x, path) AS CASE
    WHEN json_valid(x) THEN json_extract(x, path) END;
CREATE OR REPLACE MACRO trino_json_extract_scalar(x, path) AS phlo_json_scalar(trino_json_extract(x, path));
CREATE OR REPLACE MACRO trino_json_array_length(x) AS CASE
    WHEN json_valid(x) AND json_type(x) = 'ARRAY' THEN json_array_length(x) END::BIGINT;
CREATE OR REPLACE MACRO phlo_json_size(found) AS CASE
    WHEN found IS NULL THEN NULL WHEN json_type(found) = 'ARRAY' THEN json_array_length(found)
    WHEN json_type(found) = 'OBJECT' THEN len(json_keys(found)) ELSE 0 END::BIGINT;
CREATE OR REPLACE MACRO trino_json_size(x, path) AS phlo_json_size(trino_json_extract(x, path));
CREATE OR REPLACE MACRO trino_is_json_scalar(x) AS json_type(x) NOT IN ('OBJECT', 'ARRAY');
CREATE OR REPLACE MACRO trino_json_array_contains(x, v) AS CASE
    WHEN json_valid(x) AND json_type(x) = 'ARRAY'
    THEN list_contains(json_extract(x, '$[*]'), to_json(v)) END;
CREATE OR REPLACE MACRO trino_json_parse(x) AS json_normalize(json(x))::JSON;
CREATE OR REPLACE MACRO trino_json_format(x) AS json(x)::VARCHAR;
-- Rows; what Trino prints otherwise than DuckDB inside of them is an error.
CREATE OR REPLACE MACRO phlo_struct_json(x) AS CASE
    WHEN regexp_matches(typeof(x), 'TIME|INTERVAL|BLOB|MAP|UUID|TUPLE|FLOAT|DOUBLE')
    THEN ('not a row that is known to JSON here: ' || typeof(x))::JSON ELSE to_json(x) END;
CREATE OR REPLACE MACRO trino_to_json
    (t_x VARCHAR, x) AS to_json(x), (t_x BIGINT, x) AS to_json(x), (t_x BOOLEAN, x) AS to_json(x),
    (t_x DOUBLE, x) AS CASE WHEN isfinite(x) THEN to_json(x) ELSE to_json(phlo_double_to_varchar(x)) END, (t_x BIGINT[][], x) AS to_json(x),
    (t_x DOUBLE[], x) AS to_json(x), (t_x VARCHAR[][], x) AS to_json(x),
    (t_x MAP(VARCHAR, VARCHAR), x) AS to_json(map_from_entries(list_sort(map_entries(x)))),
    (t_x DATE, x) AS to_json(x::VARCHAR), (t_x, x) AS phlo_struct_json(x),
    (t_x BIGINT[], x) AS to_json(x), (t_x VARCHAR[], x) AS to_json(x), (t_x BOOLEAN[], x) AS to_json(x);
CREATE OR REPLACE MACRO phlo_json_varchar(x) AS CASE
    WHEN json_type(x) IN ('OBJECT', 'ARRAY') THEN ('not a scalar: ' || x)::BIGINT::VARCHAR WHEN json_type(x) = 'DOUBLE' THEN phlo_double_to_varchar(TRY_CAST(x ->> '$' AS DOUBLE)) ELSE x ->> '$' END;
-- One value of JSON_ARRAY or JSON_OBJECT; p: the digits of a timestamp's second.
CREATE OR REPLACE MACRO phlo_java_double(x) AS CASE
    WHEN isnan(x) THEN '"NaN"' WHEN isinf(x) THEN CASE WHEN x < 0 THEN '"-Infinity"' ELSE '"Infinity"' END
    WHEN x = 0 OR (abs(x) >= 1e-3 AND abs(x) < 1e7) THEN x::DOUBLE::VARCHAR ELSE phlo_double_to_varchar(x) END;
CREATE OR REPLACE MACRO phlo_json_text
    (t_x VARCHAR, x, p) AS to_json(x)::VARCHAR, (t_x BIGINT, x, p) AS x::VARCHAR, (t_x BOOLEAN, x, p) AS x::VARCHAR,
    (t_x DECIMAL, x, p) AS phlo_decimal_to_varchar(x), (t_x DOUBLE, x, p) AS phlo_java_double(x),
    (t_x UUID, x, p) AS to_json(x::VARCHAR)::VARCHAR, (t_x DATE, x, p) AS to_json(x::VARCHAR)::VARCHAR,
    (t_x TIME, x, p) AS to_json(phlo_time_to_varchar(x, p))::VARCHAR,
    (t_x TIMESTAMP, x, p) AS to_json(phlo_timestamp_to_varchar(x, p))::VARCHAR,
    (t_x TIMESTAMPTZ, x, p) AS to_json(phlo_timestamp_to_varchar(timezone('UTC', x), p) || ' UTC')::VARCHAR;
-- A text comes without its quotes, as Trino returns it.
CREATE OR REPLACE MACRO phlo_json_element(found) AS CASE
    WHEN found IS NULL OR json_type(found) = 'NULL' THEN NULL
    WHEN json_type(found) = 'VARCHAR' THEN (found ->> '$')::VARCHAR ELSE found::VARCHAR END;
CREATE OR REPLACE MACRO trino_json_array_get(x, i) AS phlo_json_element(CASE
    WHEN json_valid(x) AND json_type(x) = 'ARRAY' THEN x::JSON -> i::BIGINT END);
CREATE OR REPLACE MACRO phlo_json_elements(x) AS CASE
    WHEN x IS NULL OR json_type(x) = 'NULL' THEN NULL WHEN json_type(x) = 'ARRAY' THEN json_extract(x, '$[*]')
    ELSE [('not a JSON array: ' || x)::JSON] END;
CREATE OR REPLACE MACRO phlo_json_key(key) AS '$."' || replace(replace(key, '\', '\\'), '"', '\"') || '"';
CREATE OR REPLACE MACRO phlo_json_members(x) AS CASE
    WHEN x IS NULL OR json_type(x) = 'NULL' THEN NULL
    WHEN json_type(x) = 'OBJECT' THEN map_entries(CAST(x AS MAP(VARCHAR, JSON)))
    ELSE map_entries(CAST(('not a JSON object: ' || x)::JSON AS MAP(VARCHAR, JSON))) END;
CREATE OR REPLACE MACRO phlo_json_field(x, name, i) AS CASE json_type(x)
    WHEN 'ARRAY' THEN x -> i
    WHEN 'OBJECT' THEN CAST(x AS MAP(VARCHAR, JSON))[list_filter(json_keys(x), lambda k: lower(k) = lower(name))[1]]
    ELSE ('not a JSON object or array: ' || x)::JSON END;
