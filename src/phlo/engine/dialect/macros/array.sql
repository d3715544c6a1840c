-- Arrays and maps as Trino treats them: a NULL element makes an answer unknown, positions count from one.

CREATE OR REPLACE MACRO phlo_has_null(a) AS len(a) > list_aggregate(a, 'count');
CREATE OR REPLACE MACRO trino_contains(a, x) AS CASE
    WHEN a IS NULL OR x IS NULL THEN NULL WHEN list_contains(a, x) THEN true
    WHEN phlo_has_null(a) THEN NULL ELSE false END;
CREATE OR REPLACE MACRO phlo_index(a, x) AS list_position(list_transform(a, lambda e: {'e': e}), {'e': x});
CREATE OR REPLACE MACRO trino_array_distinct(a) AS list_filter(a, lambda e, i: phlo_index(a, e) = i);
CREATE OR REPLACE MACRO trino_array_union(a, b) AS CASE
    WHEN a IS NULL OR b IS NULL THEN NULL ELSE trino_array_distinct(list_concat(a, b)) END;
-- In the order of the longer array.
CREATE OR REPLACE MACRO phlo_common(a, b) AS
    trino_array_distinct(list_filter(a, lambda e: phlo_index(b, e) IS NOT NULL));
CREATE OR REPLACE MACRO trino_array_intersect(a, b) AS CASE
    WHEN a IS NULL OR b IS NULL THEN NULL WHEN len(a) < len(b) THEN phlo_common(b, a) ELSE phlo_common(a, b) END;
CREATE OR REPLACE MACRO trino_array_except(a, b) AS CASE
    WHEN b IS NULL THEN NULL WHEN len(b) = 0 THEN a
    ELSE trino_array_distinct(list_filter(a, lambda e: phlo_index(b, e) IS NULL)) END;
CREATE OR REPLACE MACRO trino_array_max(a) AS CASE WHEN phlo_has_null(a) THEN NULL ELSE list_max(a) END;
CREATE OR REPLACE MACRO trino_array_min(a) AS CASE WHEN phlo_has_null(a) THEN NULL ELSE list_min(a) END;
CREATE OR REPLACE MACRO trino_array_position(a, x) AS CASE
    WHEN a IS NULL OR x IS NULL THEN NULL ELSE coalesce(list_position(a, x), 0) END::BIGINT;
CREATE OR REPLACE MACRO trino_array_remove(a, x) AS CASE
    WHEN x IS NULL THEN NULL ELSE list_filter(a, lambda e: e IS DISTINCT FROM x) END;
CREATE OR REPLACE MACRO trino_array_sort(a) AS list_sort(a, 'ASC', 'NULLS LAST');
CREATE OR REPLACE MACRO trino_arrays_overlap(a, b) AS CASE
    WHEN a IS NULL OR b IS NULL THEN NULL WHEN list_has_any(a, b) THEN true
    WHEN phlo_has_null(a) OR phlo_has_null(b) THEN NULL ELSE false END;
CREATE OR REPLACE MACRO trino_contains_sequence(a, b) AS len(b) = 0 OR coalesce(list_bool_or(list_transform(
    range(1, len(a) - len(b) + 2), lambda i: a[i : i + len(b) - 1] = b)), false);
CREATE OR REPLACE MACRO trino_flatten(a) AS flatten(a);
CREATE OR REPLACE MACRO trino_repeat(x, n) AS list_transform(range(n), lambda i: x);
CREATE OR REPLACE MACRO trino_slice(a, start, n) AS CASE
    WHEN start = 0 THEN a[('SQL array indices start at ' || 1 || ', not 0')::BIGINT :]
    WHEN n < 0 THEN a[('length must not be negative: ' || n)::BIGINT :]
    WHEN n = 0 OR abs(start) > len(a) THEN a[2:1]
    WHEN start > 0 THEN a[start : start + n - 1]
    ELSE a[len(a) + start + 1 : least(len(a), len(a) + start + n)] END;
CREATE OR REPLACE MACRO trino_trim_array(a, n) AS CASE
    WHEN n < 0 OR n > len(a) THEN a[('can not trim by ' || n)::BIGINT :] WHEN n = len(a) THEN a[2:1]
    ELSE a[: len(a) - n] END;
CREATE OR REPLACE MACRO trino_zip
    (a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE list_zip(a, b) END,
    (a, b, c) AS CASE WHEN a IS NULL OR b IS NULL OR c IS NULL THEN NULL ELSE list_zip(a, b, c) END;
CREATE OR REPLACE MACRO trino_array_join
    (t_a VARCHAR[], a, separator) AS array_to_string(list_filter(a, lambda e: e IS NOT NULL), separator),
    (t_a VARCHAR[], a, separator, missing) AS array_to_string(list_transform(a, lambda e: coalesce(e, missing)), separator),
    (t_a BIGINT[], a, separator) AS array_to_string(list_filter(a, lambda e: e IS NOT NULL), separator),
    (t_a BIGINT[], a, separator, missing) AS
        array_to_string(list_transform(a, lambda e: coalesce(e::VARCHAR, missing)), separator),
    (t_a DOUBLE[], a, separator) AS array_to_string(list_transform(
        list_filter(a, lambda e: e IS NOT NULL), lambda e: phlo_double_to_varchar(e)), separator);
CREATE OR REPLACE MACRO trino_sequence
    (t_a BIGINT, a, b) AS CASE WHEN a <= b THEN generate_series(a, b) ELSE generate_series(a, b, -1) END,
    (t_a DATE, a, b) AS list_transform(
        CASE WHEN a <= b THEN generate_series(a, b, INTERVAL 1 DAY) ELSE generate_series(a, b, INTERVAL (-1) DAY) END,
        lambda e: e::DATE),
    (t_a BIGINT, a, b, step) AS generate_series(a, b, step),
    (t_a DATE, a, b, step) AS list_transform(generate_series(a, b, step), lambda e: e::DATE),
    (t_a TIMESTAMP, a, b, step) AS generate_series(a, b, step);
CREATE OR REPLACE MACRO trino_ngrams(a, n) AS CASE
    WHEN n >= len(a) THEN [a] ELSE list_transform(range(1, len(a) - n + 2), lambda i: a[i : i + n - 1]) END;

-- What predicates answered: some true, all true, unknown where a NULL could turn the answer.
CREATE OR REPLACE MACRO phlo_any(answers) AS CASE
    WHEN answers IS NULL THEN NULL WHEN coalesce(list_bool_or(answers), false) THEN true
    WHEN phlo_has_null(answers) THEN NULL ELSE false END;
CREATE OR REPLACE MACRO phlo_all(answers) AS CASE
    WHEN answers IS NULL THEN NULL WHEN NOT coalesce(list_bool_and(answers), true) THEN false
    WHEN phlo_has_null(answers) THEN NULL ELSE true END;

CREATE OR REPLACE MACRO phlo_absent(container, i) AS CASE
    WHEN typeof(container) LIKE 'MAP(%' THEN NOT list_contains(json_keys(to_json(container)), i::VARCHAR)
    ELSE coalesce(TRY_CAST(i AS BIGINT) NOT BETWEEN 1 AND json_array_length(to_json(container))::BIGINT, false) END;
CREATE OR REPLACE MACRO trino_subscript(x, i) AS CASE
    WHEN x[i] IS NULL AND x IS NOT NULL AND i IS NOT NULL AND phlo_absent(x, i)
    THEN [x[i]][('there is nothing at ' || i)::BIGINT] ELSE x[i] END;
CREATE OR REPLACE MACRO trino_element_at(x, i) AS x[i];
CREATE OR REPLACE MACRO trino_map() AS MAP {};
CREATE OR REPLACE MACRO trino_map_concat
    (a, b) AS CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE map_concat(a, b) END,
    (a, b, c) AS CASE WHEN a IS NULL OR b IS NULL OR c IS NULL THEN NULL ELSE map_concat(a, b, c) END;
CREATE OR REPLACE MACRO trino_map_from_entries(entries) AS map_from_entries(entries);
CREATE OR REPLACE MACRO phlo_map_agg(keys, vals) AS map_from_entries(list_filter(
    list_transform(range(1, len(keys) + 1), lambda i: {'key': keys[i], 'value': vals[i]}),
    lambda entry, i: entry['key'] IS NOT NULL AND list_position(keys, entry['key']) = i));
CREATE OR REPLACE MACRO phlo_multimap_agg(keys, vals) AS map_from_entries(list_transform(
    list_filter(list_distinct(keys), lambda k: k IS NOT NULL), lambda k: {'key': k, 'value': list_transform(
        list_filter(range(1, len(keys) + 1), lambda i: keys[i] = k), lambda i: vals[i])}));
