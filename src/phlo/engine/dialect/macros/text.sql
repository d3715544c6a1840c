-- Strings as Trino treats them: positions count code points, nothing is found before the first or after the last.

CREATE OR REPLACE MACRO trino_substr
    (s, start) AS CASE
        WHEN start = 0 OR abs(start) > length(s) THEN CASE WHEN s IS NULL THEN NULL ELSE '' END
        ELSE substr(s, start) END,
    (s, start, n) AS CASE
        WHEN start = 0 OR abs(start) > length(s) OR n <= 0 THEN CASE WHEN s IS NULL OR n IS NULL THEN NULL ELSE '' END
        ELSE substr(s, start, n) END;

CREATE OR REPLACE MACRO phlo_blank() AS array_to_string(list_transform(
    [9, 10, 11, 12, 13, 28, 29, 30, 31, 32, 5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198, 8200, 8201, 8202, 8232, 8233,
     8287, 12288], lambda code: chr(code)), '');
CREATE OR REPLACE MACRO trino_trim(s) AS trim(s, phlo_blank());
CREATE OR REPLACE MACRO trino_ltrim(s) AS ltrim(s, phlo_blank());
CREATE OR REPLACE MACRO trino_rtrim(s) AS rtrim(s, phlo_blank());

CREATE OR REPLACE MACRO trino_length
    (t_s VARCHAR, s) AS length(s),
    (t_s BLOB, s) AS octet_length(s);
CREATE OR REPLACE MACRO trino_replace
    (s, search) AS replace(s, search, ''),
    (s, search, replacement) AS CASE
        WHEN search <> '' THEN replace(s, search, replacement)
        WHEN search IS NOT NULL THEN replacement || array_to_string(list_transform(
            range(1, length(s) + 1), lambda i: substr(s, i, 1) || replacement), '') END;

CREATE OR REPLACE MACRO trino_split_part(s, delimiter, i) AS CASE
    WHEN i < 1 THEN ('Index must be greater than zero: ' || i)::BIGINT::VARCHAR
    WHEN i > len(string_split(s, delimiter)) THEN NULL
    ELSE string_split(s, delimiter)[i] END;
CREATE OR REPLACE MACRO trino_split
    (s, delimiter) AS string_split(s, delimiter),
    (s, delimiter, n) AS CASE
        WHEN n <= 0 THEN [('Limit must be positive: ' || n)::BIGINT::VARCHAR]
        WHEN len(string_split(s, delimiter)) <= n THEN string_split(s, delimiter)
        ELSE list_append(string_split(s, delimiter)[1 : n - 1],
                         array_to_string(string_split(s, delimiter)[n :], delimiter)) END;
CREATE OR REPLACE MACRO trino_split_to_map(s, entries, pair) AS map_from_entries(
    list_transform(list_filter(string_split(s, entries), lambda part: s <> ''), lambda entry:
        {'key': string_split(entry, pair)[1], 'value': array_to_string(string_split(entry, pair)[2:], pair)}));

CREATE OR REPLACE MACRO phlo_ends(s, sub) AS list_filter(
    range(1, length(s) - length(sub) + 2), lambda i: substr(s, i, length(sub)) = sub);
CREATE OR REPLACE MACRO trino_strpos
    (s, sub) AS CASE WHEN sub = '' THEN CASE WHEN s IS NULL THEN NULL ELSE 1 END ELSE strpos(s, sub) END::BIGINT,
    (s, sub, n) AS CASE
        WHEN s IS NULL OR sub IS NULL OR n IS NULL THEN NULL
        WHEN n = 0 THEN ('''instance'' must not be zero: ' || n)::BIGINT
        WHEN sub = '' THEN ('an empty string is found everywhere: ' || sub)::BIGINT
        ELSE coalesce(phlo_ends(s, sub)[n], 0) END::BIGINT;

-- DuckDB reverses graphemes, Trino code points.
CREATE OR REPLACE MACRO trino_reverse
    (t_s VARCHAR, s) AS array_to_string(list_reverse(list_transform(
        range(1, length(s) + 1), lambda i: substr(s, i, 1))), ''),
    (t_s, s) AS list_reverse(s);
CREATE OR REPLACE MACRO trino_upper(s) AS replace(upper(replace(s, 'ß', chr(57344))), chr(57344), 'ß');
CREATE OR REPLACE MACRO trino_codepoint(s) AS unicode(s);
CREATE OR REPLACE MACRO trino_concat_ws_list(s, words) AS array_to_string(words, s);
CREATE OR REPLACE MACRO trino_luhn_check(s) AS CASE
    WHEN s IS NULL THEN NULL
    WHEN NOT regexp_full_match(s, '[0-9]+') THEN ('not a number: ' || s)::BIGINT > 0
    ELSE list_sum(list_transform(range(1, length(s) + 1), lambda i: CASE
        WHEN i % 2 = 1 THEN substr(s, length(s) - i + 1, 1)::INTEGER
        ELSE [0, 2, 4, 6, 8, 1, 3, 5, 7, 9][substr(s, length(s) - i + 1, 1)::INTEGER + 1] END)) % 10 = 0 END;

CREATE OR REPLACE MACRO trino_regexp_extract
    (s, pattern) AS CASE WHEN regexp_matches(s, pattern) THEN regexp_extract(s, pattern) END,
    (s, pattern, i) AS CASE WHEN regexp_matches(s, pattern) THEN regexp_extract(s, pattern, i) END;
CREATE OR REPLACE MACRO trino_regexp_count(s, pattern) AS len(regexp_extract_all(s, pattern))::BIGINT;
-- Where the n-th match begins at or after a position: before it come the pieces and the matches that went before.
CREATE OR REPLACE MACRO phlo_position(rest, pattern, n) AS CASE
    WHEN len(regexp_extract_all(rest, pattern)) < n THEN NULL
    ELSE list_sum(list_transform(string_split_regex(rest, pattern)[:n], lambda piece: length(piece)))
        + coalesce(list_sum(list_transform(regexp_extract_all(rest, pattern)[: n - 1], lambda found: length(found))), 0) END;
CREATE OR REPLACE MACRO trino_regexp_position
    (s, pattern) AS CASE WHEN s IS NULL THEN NULL ELSE coalesce(phlo_position(s, pattern, 1) + 1, -1) END::INTEGER,
    (s, pattern, start, n) AS CASE
        WHEN s IS NULL OR start IS NULL OR n IS NULL THEN NULL
        WHEN start < 1 OR n < 1 THEN ('not a position or occurrence: ' || least(start, n))::BIGINT
        ELSE coalesce(phlo_position(substr(s, start), pattern, n) + start, -1) END::INTEGER;

CREATE OR REPLACE MACRO trino_to_hex(b) AS hex(b::BLOB);
CREATE OR REPLACE MACRO trino_from_hex(s) AS unhex(s);
CREATE OR REPLACE MACRO trino_to_utf8(s) AS encode(s::VARCHAR);
CREATE OR REPLACE MACRO trino_from_utf8(b) AS decode(b);
CREATE OR REPLACE MACRO trino_to_base64(b) AS to_base64(b::BLOB);
CREATE OR REPLACE MACRO trino_from_base64(s) AS
    from_base64(rpad(s::VARCHAR, CAST(ceil(length(s::VARCHAR) / 4) * 4 AS INTEGER), '='));
CREATE OR REPLACE MACRO trino_to_base64url(b) AS replace(replace(to_base64(b::BLOB), '+', '-'), '/', '_');
CREATE OR REPLACE MACRO trino_md5(b) AS unhex(md5(b::BLOB));
CREATE OR REPLACE MACRO trino_sha1(b) AS unhex(sha1(b::BLOB));
CREATE OR REPLACE MACRO trino_sha256(b) AS unhex(sha256(b::BLOB));
CREATE OR REPLACE MACRO trino_url_encode(s) AS
    replace(replace(replace(url_encode(s), '%20', '+'), '%2A', '*'), '~', '%7E');
CREATE OR REPLACE MACRO trino_url_decode(s) AS url_decode(replace(s, '+', '%20'));
-- Java's URI: what has a blank or the like is none, and yields NULL; what it lacks is empty text.
CREATE OR REPLACE MACRO phlo_url(s) AS '^(?:([A-Za-z][A-Za-z0-9+.\-]*):)?(?://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/:?#]*)(?::([0-9]+))?)?'
    || '([^?#]*)(?:\?([^#]*))?(?:#(.*))?$';
CREATE OR REPLACE MACRO phlo_is_url(s) AS regexp_full_match(s, '(?:[A-Za-z0-9_.!~*''();:@&=+$,/?#\[\]\-]|%[0-9A-Fa-f]{2}|[^\x00-\x7f])*')
    AND regexp_matches(s, phlo_url(s));
CREATE OR REPLACE MACRO phlo_url_part(s, i) AS CASE WHEN s IS NULL OR NOT phlo_is_url(s) THEN NULL
    WHEN regexp_matches(s, '^[A-Za-z][A-Za-z0-9+.\-]*:[^/]') AND i > 1 THEN CASE WHEN i = 6 THEN url_decode(regexp_extract(s, phlo_url(s), 6)) ELSE '' END
    WHEN i > 3 THEN url_decode(regexp_extract(s, phlo_url(s), i)) ELSE regexp_extract(s, phlo_url(s), i) END;
CREATE OR REPLACE MACRO trino_url_extract_path(s) AS phlo_url_part(s, 4);
CREATE OR REPLACE MACRO trino_url_extract_query(s) AS phlo_url_part(s, 5);
CREATE OR REPLACE MACRO trino_url_extract_fragment(s) AS phlo_url_part(s, 6);
CREATE OR REPLACE MACRO phlo_parameter(pairs, name) AS list_transform(
    list_filter(pairs, lambda pair: string_split(pair::VARCHAR, '=')[1] = name), lambda pair: array_to_string(string_split(pair::VARCHAR, '=')[2:], '='))[1];
CREATE OR REPLACE MACRO trino_url_extract_parameter(s, name) AS CASE WHEN phlo_is_url(s) THEN url_decode(replace(
    phlo_parameter(string_split(regexp_extract(s, phlo_url(s), 5), '&'), name), '+', '%20')) END;
CREATE OR REPLACE MACRO trino_url_extract_protocol(s) AS phlo_url_part(s, 1);
CREATE OR REPLACE MACRO trino_url_extract_host(s) AS phlo_url_part(s, 2);
CREATE OR REPLACE MACRO trino_url_extract_port(s) AS CASE
    WHEN phlo_is_url(s) THEN nullif(phlo_url_part(s, 3), '')::BIGINT END;
CREATE OR REPLACE MACRO phlo_digits
    (t_x DECIMAL, x) AS x::VARCHAR, (t_x FLOAT, x) AS x::DOUBLE::VARCHAR, (t_x DOUBLE, x) AS x::DOUBLE::VARCHAR;
CREATE OR REPLACE MACRO phlo_java_word(s) AS CASE s
    WHEN 'nan' THEN 'NaN' WHEN 'inf' THEN 'Infinity' WHEN '-inf' THEN '-Infinity' END;
CREATE OR REPLACE MACRO phlo_signed_text(rounded, s) AS CASE
    WHEN s[1] = '-' AND rounded[1] <> '-' THEN '-' || rounded ELSE rounded END;
CREATE OR REPLACE MACRO phlo_plus(s, sign) AS CASE WHEN s[1] IN ('-', 'N', 'I') THEN s ELSE sign || s END;
CREATE OR REPLACE MACRO phlo_base_of_bits(x, base) AS CASE
    WHEN x >= 0 THEN lower(to_base(x, base)) WHEN base = 16 THEN lower(to_hex(phlo_unsigned(x)))
    ELSE ('not available for negative numbers: ' || x)::BIGINT::VARCHAR END;
-- format(): what %s, %,d and widths print in Java.
CREATE OR REPLACE MACRO phlo_java_text
    (t_x VARCHAR, x) AS x::VARCHAR, (t_x BIGINT, x) AS x::VARCHAR, (t_x DECIMAL, x) AS phlo_decimal_to_varchar(x),
    (t_x BOOLEAN, x) AS x::VARCHAR, (t_x DATE, x) AS x::VARCHAR, (t_x UUID, x) AS x::VARCHAR,
    (t_x FLOAT, x) AS CASE
        WHEN x = 0 OR abs(x) BETWEEN 1e-3 AND 9999999.999999999 THEN x::FLOAT::VARCHAR ELSE phlo_double_to_varchar(x) END,
    (t_x DOUBLE, x) AS CASE
        WHEN x = 0 OR abs(x) BETWEEN 1e-3 AND 9999999.999999999 THEN x::DOUBLE::VARCHAR ELSE phlo_double_to_varchar(x) END;
CREATE OR REPLACE MACRO phlo_thousands(s) AS
    regexp_extract(s, '^-?') || reverse(regexp_replace(reverse(regexp_extract(s, '^-?([0-9]+)', 1)), '([0-9]{3})', '\1,', 'g'))
    .ltrim(',') || regexp_extract(s, '\..*$');
CREATE OR REPLACE MACRO phlo_right(s, n) AS CASE WHEN length(s) >= n THEN s ELSE lpad(s, n, ' ') END;
CREATE OR REPLACE MACRO phlo_left(s, n) AS CASE WHEN length(s) >= n THEN s ELSE rpad(s, n, ' ') END;
CREATE OR REPLACE MACRO phlo_zeros(s, n) AS CASE
    WHEN NOT regexp_matches(s, '[0-9]') THEN phlo_right(s, n)
    WHEN length(s) >= n THEN s WHEN s[1] = '-' THEN '-' || lpad(s[2:], n - 1, '0') ELSE lpad(s, n, '0') END;
-- Built-in checks speak of patterns in this word, in projects whose dialect is DuckDB's too.
CREATE OR REPLACE MACRO regexp_like(s, pattern) AS regexp_matches(s, pattern);
CREATE OR REPLACE MACRO trino_from_base64url(s) AS
    from_base64(rpad(replace(replace(s, '-', '+'), '_', '/'), CAST(ceil(length(s) / 4) * 4 AS INTEGER), '='));
CREATE OR REPLACE MACRO phlo_big_endian(x, digits) AS unhex(lpad(to_hex(phlo_unsigned(x)), digits, '0'));
CREATE OR REPLACE MACRO trino_to_big_endian_32(x) AS phlo_big_endian(x::INTEGER, 8);
CREATE OR REPLACE MACRO trino_to_big_endian_64(x) AS phlo_big_endian(x::BIGINT, 16);
CREATE OR REPLACE MACRO phlo_from_hex(digits) AS list_reduce(list_transform(string_split(lower(digits), ''),
    lambda c: (strpos('0123456789abcdef', c) - 1)::HUGEINT), lambda total, digit: total * 16 + digit, 0::HUGEINT);
CREATE OR REPLACE MACRO trino_from_big_endian_32(b) AS CASE
    WHEN octet_length(b) <> 4 THEN ('not of 4 bytes: ' || hex(b))::INTEGER ELSE phlo_signed(phlo_from_hex(hex(b)), 0::INTEGER) END;
CREATE OR REPLACE MACRO trino_from_big_endian_64(b) AS CASE
    WHEN octet_length(b) <> 8 THEN ('not of 8 bytes: ' || hex(b))::BIGINT ELSE phlo_signed(phlo_from_hex(hex(b)), 0::BIGINT) END;
