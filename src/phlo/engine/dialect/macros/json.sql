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
CREATE OR REPLACE MACRO trino_to_json
    (t_x VARCHAR, x) AS to_json(x), (t_x BIGINT, x) AS to_json(x), (t_x BOOLEAN, x) AS to_json(x),
    (t_x DOUBLE, x) AS to_json(x), (t_x BIGINT[][], x) AS to_json(x),
    (t_x DOUBLE[], x) AS to_json(x), (t_x VARCHAR[][], x) AS to_json(x),
    (t_x MAP(VARCHAR, VARCHAR), x) AS to_json(map_from_entries(list_sort(map_entries(x)))),
    (t_x DATE, x) AS to_json(x::VARCHAR),
    (t_x BIGINT[], x) AS to_json(x), (t_x VARCHAR[], x) AS to_json(x), (t_x BOOLEAN[], x) AS to_json(x);
CREATE OR REPLACE MACRO phlo_json_varchar(x) AS CASE
    WHEN json_type(x) IN ('OBJECT', 'ARRAY') THEN ('not a scalar: ' || x)::BIGINT::VARCHAR ELSE x ->> '$' END;
