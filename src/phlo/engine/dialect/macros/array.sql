-- Arrays and maps as Trino treats them: a NULL element makes an answer unknown, positions count from one.

CREATE OR REPLACE MACRO phlo_has_null(a) AS len(a) > list_aggregate(a, 'count');
CREATE OR REPLACE MACRO phlo_join(pieces) AS CASE WHEN phlo_has_null(pieces) THEN NULL ELSE array_to_string(pieces, '') END;
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
    (t_a BOOLEAN[], a, separator) AS array_to_string(list_filter(a, lambda e: e IS NOT NULL), separator),
    (t_a BOOLEAN[], a, separator, missing) AS
        array_to_string(list_transform(a, lambda e: coalesce(e::VARCHAR, missing)), separator),
    (t_a DATE[], a, separator) AS array_to_string(list_filter(a, lambda e: e IS NOT NULL), separator),
    (t_a DECIMAL(38, 9)[], a, separator) AS array_to_string(list_transform(
        list_filter(a, lambda e: e IS NOT NULL), lambda e: phlo_decimal_to_varchar(e)), separator),
    (t_a DOUBLE[], a, separator) AS array_to_string(list_transform(
        list_filter(a, lambda e: e IS NOT NULL), lambda e: phlo_double_to_varchar(e)), separator);
-- Months are counted from the first date, whose day returns after a shorter month.
CREATE OR REPLACE MACRO phlo_months(i) AS datepart('year', i) * 12 + datepart('month', i);
CREATE OR REPLACE MACRO phlo_steps(a, b, step) AS CASE
    WHEN (phlo_months(step) > 0 AND a::TIMESTAMP > b::TIMESTAMP) OR (phlo_months(step) < 0 AND a::TIMESTAMP < b::TIMESTAMP)
    THEN [('not a step from ' || a || ' to ' || b || ': ' || step)::TIMESTAMP]
    WHEN phlo_months(step) <> 0 THEN list_transform(
        range(0, (abs(datesub('month', a::TIMESTAMP, b::TIMESTAMP)) // abs(phlo_months(step)) + 1)::BIGINT),
        lambda i: a::TIMESTAMP + to_months((i * phlo_months(step))::INTEGER))
    ELSE generate_series(a::TIMESTAMP, b::TIMESTAMP, step) END;
CREATE OR REPLACE MACRO trino_sequence
    (t_a BIGINT, a, b) AS CASE WHEN a <= b THEN generate_series(a, b) ELSE generate_series(a, b, -1) END,
    (t_a DATE, a, b) AS list_transform(
        CASE WHEN a <= b THEN generate_series(a, b, INTERVAL 1 DAY) ELSE generate_series(a, b, INTERVAL (-1) DAY) END,
        lambda e: e::DATE),
    (t_a BIGINT, a, b, step) AS CASE
        WHEN step = 0 OR (step > 0 AND a > b) OR (step < 0 AND a < b)
        THEN [('not a step from ' || a || ' to ' || b || ': ' || step)::BIGINT] ELSE generate_series(a, b, step) END,
    (t_a DATE, a, b, step) AS list_transform(phlo_steps(a, b, step), lambda e: e::DATE),
    (t_a TIMESTAMP, a, b, step) AS phlo_steps(a, b, step);
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

-- Of k elements out of the first n, in the order of their positions.
CREATE OR REPLACE MACRO phlo_combinations_1(a, start) AS list_transform(range(start, len(a) + 1), lambda i: [a[i]]);
CREATE OR REPLACE MACRO phlo_combinations_2(a, start) AS flatten(list_transform(range(start, len(a) + 1), lambda i:
    list_transform(phlo_combinations_1(a, i + 1), lambda rest: list_prepend(a[i], rest))));
CREATE OR REPLACE MACRO phlo_combinations_3(a, start) AS flatten(list_transform(range(start, len(a) + 1), lambda j:
    list_transform(phlo_combinations_2(a, j + 1), lambda others: list_prepend(a[j], others))));
CREATE OR REPLACE MACRO phlo_combinations_4(a, start) AS flatten(list_transform(range(start, len(a) + 1), lambda k:
    list_transform(phlo_combinations_3(a, k + 1), lambda three: list_prepend(a[k], three))));
CREATE OR REPLACE MACRO phlo_combinations_5(a, start) AS flatten(list_transform(range(start, len(a) + 1), lambda l:
    list_transform(phlo_combinations_4(a, l + 1), lambda four: list_prepend(a[l], four))));
CREATE OR REPLACE MACRO trino_combinations(a, k) AS CASE
    WHEN k > 5 THEN [a[('combination size must not exceed 5: ' || k)::BIGINT :]]
    WHEN k < 0 THEN [a[('combination size must not be negative: ' || k)::BIGINT :]]
    WHEN k = 0 THEN [a[2:1]] WHEN k = 1 THEN phlo_combinations_1(a, 1) WHEN k = 2 THEN phlo_combinations_2(a, 1)
    WHEN k = 3 THEN phlo_combinations_3(a, 1) WHEN k = 4 THEN phlo_combinations_4(a, 1) ELSE phlo_combinations_5(a, 1) END;
CREATE OR REPLACE MACRO trino_array_histogram(a) AS CASE WHEN a IS NULL THEN NULL ELSE map_from_entries(list_transform(
    list_distinct(a), lambda e: {'key': e, 'value': len(list_filter(a, lambda other: other = e))::BIGINT})) END;
CREATE OR REPLACE MACRO phlo_doubles(a) AS list_transform(a, lambda e: e::DOUBLE);
CREATE OR REPLACE MACRO phlo_products(a, b) AS list_transform(range(1, len(a) + 1), lambda i: a[i] * b[i]);
CREATE OR REPLACE MACRO phlo_paired(a, b) AS CASE
    WHEN len(a) <> len(b) THEN a[('not of the same length: ' || len(a) || ' and ' || len(b))::BIGINT :] ELSE a END;
CREATE OR REPLACE MACRO trino_dot_product(a, b) AS coalesce(list_sum(list_transform(phlo_products(
    phlo_doubles(phlo_paired(a, b)), phlo_doubles(b)), lambda e: coalesce(e, 0))), CASE WHEN len(a) = 0 AND len(b) = 0 THEN 0e0 END);
CREATE OR REPLACE MACRO trino_euclidean_distance(a, b) AS CASE WHEN phlo_has_null(a) OR phlo_has_null(b)
    THEN [0e0][('not without NULL: ' || len(a))::BIGINT] ELSE sqrt(list_sum(list_transform(
    range(1, len(phlo_paired(a, b)) + 1), lambda i: (a[i]::DOUBLE - b[i]::DOUBLE) ** 2))) END;
CREATE OR REPLACE MACRO phlo_magnitude(a) AS CASE
    WHEN list_sum(list_transform(a, lambda e: e * e)) = 0 THEN ('not a vector of some magnitude: ' || len(a))::DOUBLE
    ELSE sqrt(list_sum(list_transform(a, lambda e: e * e))) END;
CREATE OR REPLACE MACRO phlo_cosine(a, b) AS CASE
    WHEN a IS NULL OR b IS NULL OR phlo_has_null(a) OR phlo_has_null(b) THEN NULL
    ELSE list_sum(phlo_products(phlo_paired(a, b), b)) / (phlo_magnitude(a) * phlo_magnitude(b)) END;
CREATE OR REPLACE MACRO phlo_sparse_products(a, b) AS list_transform(map_keys(a), lambda k: a[k] * coalesce(b[k], 0));
CREATE OR REPLACE MACRO phlo_sparse_cosine(a, b) AS CASE
    WHEN a IS NULL OR b IS NULL OR phlo_has_null(map_values(a)) OR phlo_has_null(map_values(b)) THEN NULL
    ELSE list_sum(phlo_sparse_products(a, b)) / (phlo_magnitude(map_values(a)) * phlo_magnitude(map_values(b))) END;
CREATE OR REPLACE MACRO trino_cosine_similarity
    (t_a DOUBLE[], a, b) AS phlo_cosine(phlo_doubles(a), phlo_doubles(b)),
    (t_a DECIMAL(38, 9)[], a, b) AS phlo_cosine(phlo_doubles(a), phlo_doubles(b)),
    (t_a BIGINT[], a, b) AS phlo_cosine(phlo_doubles(a), phlo_doubles(b)),
    (t_a MAP(VARCHAR, DOUBLE), a, b) AS phlo_sparse_cosine(a::MAP(VARCHAR, DOUBLE), b::MAP(VARCHAR, DOUBLE));
CREATE OR REPLACE MACRO trino_cosine_distance
    (t_a DOUBLE[], a, b) AS 1e0 - phlo_cosine(phlo_doubles(a), phlo_doubles(b)),
    (t_a DECIMAL(38, 9)[], a, b) AS 1e0 - phlo_cosine(phlo_doubles(a), phlo_doubles(b)),
    (t_a BIGINT[], a, b) AS 1e0 - phlo_cosine(phlo_doubles(a), phlo_doubles(b)),
    (t_a MAP(VARCHAR, DOUBLE), a, b) AS 1e0 - phlo_sparse_cosine(a::MAP(VARCHAR, DOUBLE), b::MAP(VARCHAR, DOUBLE));
CREATE OR REPLACE MACRO trino_shuffle(a) AS list_transform(
    list_sort(list_transform(a, lambda e: {'at': random(), 'e': e})), lambda pair: pair['e']);
CREATE OR REPLACE MACRO phlo_mapped(key) AS CASE
    WHEN key IS NULL THEN [key][('not a key: NULL' || len([key]))::BIGINT] ELSE key END;
CREATE OR REPLACE MACRO trino_multimap_from_entries(entries) AS phlo_multimap_agg(
    list_transform(entries, lambda entry: phlo_mapped(entry[1])), list_transform(entries, lambda entry: entry[2]));
CREATE OR REPLACE MACRO trino_split_to_multimap(s, entries, pair) AS phlo_multimap_agg(
    list_transform(string_split(s, entries), lambda entry: string_split(entry, pair)[1]),
    list_transform(string_split(s, entries), lambda entry: array_to_string(string_split(entry, pair)[2:], pair)));
CREATE OR REPLACE MACRO phlo_map_union(maps) AS CASE WHEN maps IS NULL THEN NULL ELSE phlo_map_agg(
    flatten(list_transform(list_filter(maps, lambda m: m IS NOT NULL), lambda m: map_keys(m))),
    flatten(list_transform(list_filter(maps, lambda m: m IS NOT NULL), lambda m: map_values(m)))) END;
-- Unknown where a NULL inside could turn the answer.
CREATE OR REPLACE MACRO phlo_equal_arrays(t_a, a, b) AS CASE
    WHEN a IS NULL OR b IS NULL THEN NULL WHEN len(a) <> len(b) THEN false
    WHEN coalesce(list_bool_or(list_transform(range(1, len(a) + 1), lambda i: a[i] <> b[i])), false) THEN false
    WHEN phlo_has_null(a) OR phlo_has_null(b) THEN NULL ELSE true END;
CREATE OR REPLACE MACRO phlo_equal_maps(t_a, a, b) AS CASE
    WHEN a IS NULL OR b IS NULL THEN NULL WHEN list_sort(map_keys(a)) <> list_sort(map_keys(b)) THEN false
    WHEN coalesce(list_bool_or(list_transform(map_keys(a), lambda k: a[k] <> b[k])), false) THEN false
    WHEN phlo_has_null(map_values(a)) OR phlo_has_null(map_values(b)) THEN NULL ELSE true END;
